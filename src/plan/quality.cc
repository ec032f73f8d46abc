// What measurements say about a model: kinds of attention, names of precisions.
#include "plan/quality.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "kv/coding.h"
#include "kv/spec.h"
#include "plan/precision.h"

namespace kvasir::plan {
namespace {

// Calls visit(stream, layer) for all that the model itself keeps.
void for_each_stream(const CacheModel& model, const auto& visit) {
  int64_t layer = 0;
  for (const kv::Layer& one : model.cache->layers) {
    if (one.is_draft) continue;
    for (const kv::Stream& stream : one.streams) visit(stream, layer);
    ++layer;
  }
}

bool has_stream(const CacheModel& model, const auto& condition) {
  bool found = false;
  for_each_stream(model,
                  [&](const kv::Stream& stream, int64_t) { found = found || condition(stream); });
  return found;
}

bool has_latents(const CacheModel& model) {
  return has_stream(model, [](const kv::Stream& one) { return one.role == kv::Role::kLatents; });
}

const char* kind_of_heads(const CacheModel& model) {
  int64_t most = 0;
  for_each_stream(model, [&](const kv::Stream& stream, int64_t) {
    if (stream.role == kv::Role::kKeys) most = std::max(most, stream.vectors);
  });
  if (most == 0) return "no attention";
  if (most >= model.query_heads) return "mha";
  return most == 1 ? "mqa" : "gqa";
}

bool has_states(const CacheModel& model) {
  return std::any_of(model.cache->layers.begin(), model.cache->layers.end(),
                     [](const kv::Layer& one) { return !one.is_draft && !one.states.empty(); });
}

// How a stream is coded; of what is native, by the codec that an engine takes for it.
kv::Coding coding_of(const CacheModel& model, const kv::CachePrecision& precision, kv::Role role,
                     int64_t layer) {
  kv::Coding coding = precision.coding_of(role, layer);
  const bool is_bf16 = model.own == nullptr && model.native_precision.empty() &&
                       !model.holds_latents_in_fp8 && model.value_bytes == 2;
  if (coding.scheme == nullptr && is_bf16) {
    coding = kv::parse_precision("bf16").value().coding_of(role, layer);
  }
  // These words are of keys.
  if (role == kv::Role::kValues) coding.is_centered = coding.is_before_rope = false;
  return coding;
}

bool are_alike(const kv::Coding& a, const kv::Coding& b) {
  return a.scheme == b.scheme && a.is_centered == b.is_centered && a.is_rotated == b.is_rotated &&
         a.is_before_rope == b.is_before_rope && a.whole_rows == b.whole_rows;
}

// Whether both code every stream of the model alike, however they are written.
bool are_alike(const CacheModel& model, const kv::CachePrecision& a, const kv::CachePrecision& b) {
  bool alike = true;
  for_each_stream(model, [&](const kv::Stream& stream, int64_t layer) {
    alike = alike && are_alike(coding_of(model, a, stream.role, layer),
                               coding_of(model, b, stream.role, layer));
  });
  return alike;
}

double bytes_per_token(const CacheCost& cost) {
  double bytes = 0;
  for (const Term& term : cost.ram) bytes += term.bytes_per_token();
  return bytes;
}

// The costs of a published format and of what is held here under its name.
struct Namesakes {
  CacheCost published;
  CacheCost own;
};
std::optional<Namesakes> namesakes(const CacheModel& model, const std::string& precision) {
  const std::string own_name = own_precision(model, precision);
  if (own_name == precision) return std::nullopt;
  auto published = cache_cost(model, {.precision = precision});
  auto own = cache_cost(model, {.precision = own_name});
  if (!published.ok() || !own.ok()) return std::nullopt;
  return Namesakes{std::move(published).value(), std::move(own).value()};
}

// Whether rows have other bytes than those that are held here under the name.
bool is_other_format(const CacheModel& model, const std::string& precision) {
  const auto both = namesakes(model, precision);
  return both && bytes_per_token(both->published) != bytes_per_token(both->own);
}

void add_findings(const CacheModel& model, const kv::CachePrecision& asked,
                  const Measurement& measurement, std::vector<Finding>& findings) {
  for (const MeasuredPrecision& one : measurement.precisions) {
    const auto measured = kv::parse_precision(one.precision);
    if (!measured.ok() || !are_alike(model, asked, *measured)) continue;
    findings.push_back({.measurement = &measurement, .precision = &one});
    return;
  }
}

}  // namespace

std::string attention_of(const CacheModel& model) {
  const auto is_index = [](const kv::Stream& one) { return one.role == kv::Role::kIndexKeys; };
  const auto is_window = [](const kv::Stream& one) { return one.reach == kv::Reach::kWindow; };
  if (model.own != nullptr) return "deepseek-v4";
  std::string kind = has_latents(model) ? "mla" : kind_of_heads(model);
  const char* before = " with ";
  const auto add = [&](bool is_there, const char* part) {
    if (!is_there) return;
    kind += std::string(before) + part;
    before = " and ";
  };
  add(has_stream(model, is_index), "an indexer");
  add(has_stream(model, is_window), "windows");
  add(has_states(model), "recurrent layers");
  return kind;
}

int64_t head_width_of(const CacheModel& model) {
  int64_t width = 0;
  for_each_stream(model, [&](const kv::Stream& stream, int64_t) {
    const bool counts = stream.role == kv::Role::kKeys || stream.role == kv::Role::kLatents;
    if (width == 0 && counts) width = stream.width;
  });
  return width;
}

bool needs_learning(const MeasuredPrecision& one) {
  const auto precision = kv::parse_precision(one.precision);
  return precision.ok() && kv::needs_learning(*precision);
}

Quality quality_of(const CacheModel& model, const std::string& precision,
                   const std::vector<Measurement>& measurements) {
  Quality quality{
      .precision = precision, .attention = attention_of(model), .head_width = head_width_of(model)};
  const auto asked = kv::parse_precision(precision);
  const bool is_other = asked.ok() && is_other_format(model, precision);
  if (asked.ok() && !is_other) {
    for (const Measurement& one : measurements) {
      if (one.attention == quality.attention) add_findings(model, *asked, one, quality.findings);
    }
  }
  if (!quality.findings.empty()) return quality;
  quality.gap = "not measured on this kind of attention (" + quality.attention + ")";
  if (is_other) {
    quality.gap += fmt::format(": {} is Kvasir's own, this format is another",
                               own_precision(model, precision));
  }
  return quality;
}

std::string own_precision(const CacheModel& model, const std::string& precision) {
  const Precision* published = find_precision(precision);
  const auto own = kv::parse_precision(precision);
  if (published == nullptr || published->runs_here || !own.ok()) return precision;
  if (has_latents(model)) return "k=" + precision;
  return fmt::format("k={0},v={0}", precision);
}

std::string name_note(const CacheModel& model, const std::string& precision, const Load& load) {
  const auto both = namesakes(model, precision);
  if (!both) return "";
  const int64_t own_bytes = bytes_of(both->own.ram, load);
  if (bytes_of(both->published.ram, load) == own_bytes) return "";
  return fmt::format(
      "{} is billed as published, {:g} bytes a token; Kvasir's own of that name, --kv {}, takes "
      "{:g}, and {} bytes in all",
      precision, bytes_per_token(both->published), own_precision(model, precision),
      bytes_per_token(both->own), own_bytes);
}

}  // namespace kvasir::plan
