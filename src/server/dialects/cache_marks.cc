#include "server/dialects/cache_marks.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>

namespace kvasir::server {
namespace {

constexpr int64_t kMinuteS = 60;
constexpr int64_t kDayS = 24 * 60 * kMinuteS;
// What Anthropic's cache_control without a ttl means.
constexpr int64_t kDefaultS = 5 * kMinuteS;
constexpr size_t kMarksMax = 64;

int64_t seconds_of_unit(char unit) {
  switch (unit) {
    case 's':
      return 1;
    case 'm':
      return kMinuteS;
    case 'h':
      return 60 * kMinuteS;
    default:
      return 0;
  }
}

// "5m", "1h", "30m", "24h"; a day at most. None: no such time.
std::optional<int64_t> seconds_of(std::string_view text) {
  if (text.size() < 2) return std::nullopt;
  int64_t count = 0;
  const char* const last = text.data() + text.size() - 1;
  const auto [end, failure] = std::from_chars(text.data(), last, count);
  if (failure != std::errc() || end != last || count <= 0 || count > kDayS) return std::nullopt;
  const int64_t unit = seconds_of_unit(*last);
  if (unit == 0) return std::nullopt;
  return std::min(count * unit, kDayS);
}

std::optional<int64_t> time_of(const FieldReader& object, const char* name) {
  const auto text = object.string(name);
  return text ? seconds_of(*text) : std::nullopt;
}

}  // namespace

void read_cache_mark(const FieldReader& object, const char* name, int64_t message_count,
                     Call& call) {
  const Json* field = object.find(name);
  if (field == nullptr || field->as_object() == nullptr || call.marks.size() >= kMarksMax) return;
  const auto mark = object.object(name);
  call.repairs.add(Repair::kCacheControl);
  call.marks.push_back(
      {.message_count = message_count, .seconds = time_of(*mark, "ttl").value_or(kDefaultS)});
}

void read_cache_options(const FieldReader& body, Call& call) {
  std::optional<int64_t> seconds = time_of(body, "prompt_cache_retention");
  if (const auto options = body.object("prompt_cache_options")) {
    if (const auto asked = time_of(*options, "ttl")) seconds = asked;
  }
  if (!seconds) return;
  for (CacheMark& mark : call.marks) mark.seconds = *seconds;
  if (call.marks.size() >= kMarksMax) return;
  call.marks.push_back({.message_count = std::ssize(call.messages), .seconds = *seconds});
}

}  // namespace kvasir::server
