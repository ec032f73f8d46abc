#include "text/said_turns.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/check.h"
#include "text/rendered_prompt.h"

namespace kvasir::text {
namespace {

// What stands behind a turn that is told as it was said: its end, where the model said none, and
// what the template puts behind that. None: the turn ends otherwise than the model ended it.
std::optional<std::span<const int32_t>> behind(const Tokenizer& tokenizer,
                                               std::span<const int32_t> rendered,
                                               std::span<const int32_t> said) {
  const auto end = std::find_if(rendered.rbegin(), rendered.rend(),
                                [&](int32_t id) { return tokenizer.is_special(id); });
  if (end == rendered.rend()) return std::nullopt;
  const auto place = static_cast<size_t>(rendered.rend() - end) - 1;
  if (said.back() == *end) return rendered.subspan(place + 1);
  if (tokenizer.is_special(said.back())) return std::nullopt;
  return rendered.subspan(place);
}

}  // namespace

SaidTurns tell_said_turns(const Tokenizer& tokenizer, std::span<const TextPart> parts,
                          std::span<const TurnPlace> places, const SaidIds& said) {
  SaidTurns told;
  size_t told_bytes = 0;
  const auto ids_of = [&](size_t begin, size_t end) {
    KVASIR_CHECK(begin <= end, "places in order");
    return tokenizer.encode_parts(without_front(front({parts.begin(), parts.end()}, end), begin));
  };
  for (const TurnPlace& place : places) {
    std::vector<int32_t> before = told.tokens;
    const std::vector<int32_t> opening = ids_of(told_bytes, place.begin);
    before.insert(before.end(), opening.begin(), opening.end());
    if (before.empty()) continue;
    const std::optional<std::vector<int32_t>> ids = said(before, *place.message);
    if (!ids) continue;
    const std::vector<int32_t> rendered = ids_of(place.begin, place.end);
    const auto rest = behind(tokenizer, rendered, *ids);
    if (!rest) continue;
    told.tokens = std::move(before);
    told.tokens.insert(told.tokens.end(), ids->begin(), ids->end());
    told.tokens.insert(told.tokens.end(), rest->begin(), rest->end());
    told_bytes = place.end;
    ++told.count;
  }
  size_t all = 0;
  for (const TextPart& part : parts) all += part.text.size();
  const std::vector<int32_t> last = ids_of(told_bytes, all);
  told.tokens.insert(told.tokens.end(), last.begin(), last.end());
  return told;
}

}  // namespace kvasir::text
