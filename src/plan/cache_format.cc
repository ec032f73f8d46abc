#include "plan/cache_format.h"

#include <fmt/format.h>

#include <optional>
#include <string>

#include "checkpoint/cache_wish.h"

namespace kvasir::plan {

bool read_cache_format(const Json& place, CacheModel& model) {
  const std::optional<CacheWish> wish = find_cache_wish(place);
  if (!wish) return false;
  const std::string asked = fmt::format("{} asks for a cache in {}", wish->where, wish->words);
  if (model.own != nullptr || model.holds_latents_in_fp8) {
    model.notes.push_back(asked + ": native stays the format that the model's makers gave it");
  } else if (wish->precision.empty()) {
    model.notes.push_back(asked + ", which is not known here: native is the model's own type");
  } else {
    model.native_precision = wish->precision;
    model.notes.push_back(fmt::format("{}: native is that, {} here", asked, wish->precision));
  }
  return true;
}

}  // namespace kvasir::plan
