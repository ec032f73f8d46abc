#include "server/access_log.h"

#include <ctime>
#include <utility>

#include <fmt/format.h>

namespace kvasir::server {
namespace {

std::string time_text(std::chrono::system_clock::time_point when) {
  const auto ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(when.time_since_epoch()).count();
  const std::time_t seconds = static_cast<std::time_t>(ms / 1000);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  return fmt::format("{}.{:03}Z", text, ms % 1000);
}

// What clients chose must not forge lines.
std::string harmless(const std::string& text) {
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= ' ' || byte == 0x7f || c == '"' || c == '\\') {
      result += fmt::format("\\x{:02x}", byte);
    } else {
      result += c;
    }
  }
  return result;
}

}  // namespace

std::string line_of(const AccessEntry& entry, std::chrono::system_clock::time_point when) {
  std::string line =
      fmt::format("{} id={} caller={} peer={} {} {} status={} ms={:.0f}", time_text(when),
                  entry.request_id, harmless(entry.caller), harmless(entry.peer),
                  harmless(entry.method), harmless(entry.path), entry.status, entry.ms);
  if (!entry.outcome.empty()) line += " outcome=" + harmless(entry.outcome);
  if (entry.prompt_tokens >= 0) {
    line += fmt::format(
        " prompt={} ram={} disk={} remote={} generated={} queue_ms={:.0f} first_ms={:.0f}",
        entry.prompt_tokens, entry.reused_ram_tokens, entry.reused_disk_tokens,
        entry.reused_remote_tokens, entry.generated_tokens, entry.queue_ms, entry.first_token_ms);
  }
  if (!entry.reuse.empty()) line += " reuse=\"" + entry.reuse + "\"";
  if (!entry.note.empty()) line += " note=" + harmless(entry.note);
  return line;
}

AccessLog::AccessLog(std::function<void(const std::string& line)> write)
    : write_(std::move(write)) {}

void AccessLog::add(const AccessEntry& entry) {
  if (!write_) return;
  const std::lock_guard lock(mutex_);
  write_(line_of(entry, std::chrono::system_clock::now()));
}

}  // namespace kvasir::server
