#include "text/said_turns.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "text/rendered_prompt.h"

namespace kvasir::text {
namespace {

// What stands behind a turn that is told as it was said: its end, where the model said none or
// another, which is then taken off, and what the template puts behind that. None: the template ends
// no turn.
std::optional<std::span<const int32_t>> behind(const Tokenizer& tokenizer,
                                               std::span<const int32_t> rendered,
                                               std::vector<int32_t>& said) {
  const auto end = std::find_if(rendered.rbegin(), rendered.rend(),
                                [&](int32_t id) { return tokenizer.is_special(id); });
  if (end == rendered.rend()) return std::nullopt;
  const auto place = static_cast<size_t>(rendered.rend() - end) - 1;
  if (said.back() == *end) return rendered.subspan(place + 1);
  while (!said.empty() && tokenizer.is_special(said.back())) said.pop_back();
  return rendered.subspan(place);
}

}  // namespace

SaidTurns tell_said_turns(const Tokenizer& tokenizer, std::span<const TextPart> parts,
                          std::span<const TurnPlace> places, const SaidIds& said) {
  SaidTurns told;
  size_t told_bytes = 0;
  const auto ids_of = [&](size_t begin, size_t end) {
    return tokenizer.encode_parts(without_front(front({parts.begin(), parts.end()}, end), begin));
  };
  for (const TurnPlace& place : places) {
    // What a template makes of a conversation is not ours.
    if (place.begin < told_bytes) continue;
    std::vector<int32_t> before = told.tokens;
    const std::vector<int32_t> opening = ids_of(told_bytes, place.begin);
    before.insert(before.end(), opening.begin(), opening.end());
    if (before.empty()) continue;
    std::optional<std::vector<int32_t>> ids = said.find(before, *place.message);
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
  const std::vector<int32_t> last =
      tokenizer.encode_parts(without_front({parts.begin(), parts.end()}, told_bytes));
  told.tokens.insert(told.tokens.end(), last.begin(), last.end());
  return told;
}

}  // namespace kvasir::text
