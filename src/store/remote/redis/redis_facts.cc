#include "store/remote/redis/redis_facts.h"

#include <charconv>
#include <optional>

namespace kvasir::store::remote {
namespace {

// The value of "name:value", a line of its own.
std::optional<std::string_view> field(std::string_view info, std::string_view name) {
  while (!info.empty()) {
    const size_t end = std::min(info.find('\n'), info.size());
    std::string_view line = info.substr(0, end);
    info.remove_prefix(std::min(end + 1, info.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.starts_with(name) && line.substr(name.size()).starts_with(':')) {
      return line.substr(name.size() + 1);
    }
  }
  return std::nullopt;
}

int64_t bytes_in(std::string_view info, std::string_view name) {
  const std::optional<std::string_view> text = field(info, name);
  int64_t value = -1;
  if (!text) return -1;
  const auto parsed = std::from_chars(text->data(), text->data() + text->size(), value);
  return parsed.ec == std::errc() && value >= 0 ? value : -1;
}

}  // namespace

EngineFacts facts_of_info(std::string_view info, const std::string& server) {
  EngineFacts facts;
  // Valkey also says which Redis it could pass for.
  if (const auto valkey = field(info, "valkey_version")) {
    facts.version = "Valkey " + std::string(*valkey);
  } else if (const auto redis = field(info, "redis_version")) {
    facts.version = "Redis " + std::string(*redis);
  }
  facts.used_bytes = bytes_in(info, "used_memory");
  facts.limit_bytes = bytes_in(info, "maxmemory");
  if (facts.limit_bytes == 0) {
    facts.advice.push_back({.kind = ErrorKind::kUsage,
                            .what = "the server has no limit of memory and grows until it is ended",
                            .where = server,
                            .expected = "maxmemory, what it may use",
                            .found = "maxmemory 0"});
  }
  const std::string policy(field(info, "maxmemory_policy").value_or(""));
  if (policy == "noeviction" || policy.starts_with("volatile-")) {
    facts.advice.push_back({.kind = ErrorKind::kUsage,
                            .what = "the server refuses what is new when it is full",
                            .where = server,
                            .expected = "maxmemory-policy allkeys-lru",
                            .found = "maxmemory-policy " + policy});
  }
  return facts;
}

void add_facts(const EngineFacts& more, EngineFacts& all) {
  if (all.version.empty()) all.version = more.version;
  if (more.used_bytes >= 0) all.used_bytes = std::max<int64_t>(all.used_bytes, 0) + more.used_bytes;
  // One without a limit makes the whole have none.
  const bool is_first = all.limit_bytes < 0;
  if (is_first || more.limit_bytes == 0) {
    all.limit_bytes = more.limit_bytes;
  } else if (all.limit_bytes > 0 && more.limit_bytes > 0) {
    all.limit_bytes += more.limit_bytes;
  }
  all.advice.insert(all.advice.end(), more.advice.begin(), more.advice.end());
}

}  // namespace kvasir::store::remote
