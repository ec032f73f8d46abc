// What holds of every grammar, whatever it was made of. One thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "grammar/follower.h"

namespace kvasir::fuzz {

inline std::shared_ptr<const grammar::TokenTrie> bytes_and_pairs() {
  static const std::vector<std::string>* const kTokens = [] {
    auto* tokens = new std::vector<std::string>();
    for (int byte = 0; byte < 256; ++byte) tokens->emplace_back(1, static_cast<char>(byte));
    for (const char* text : {"\": ", "\",", "}}", "]]", "{\"", "12", "ab", "null"}) {
      tokens->emplace_back(text);
    }
    return tokens;
  }();
  static const auto kTrie = std::make_shared<const grammar::TokenTrie>(
      std::vector<std::string_view>(kTokens->begin(), kTokens->end()));
  return kTrie;
}

// Chooses bytes of the grammar by `choices`, then the first that may follow, for a while. Returns
// the text if it came to an end. Every live position goes on or ends, and its mask says which bytes
// it goes on with.
inline std::optional<std::string> follow(grammar::Automaton automaton, std::string_view choices,
                                         size_t bytes_max = 200) {
  const grammar::Follower follower(std::move(automaton), bytes_and_pairs(), size_t{1} << 20);
  grammar::Position at = follower.start();
  std::string text;
  for (size_t step = 0; step < bytes_max; ++step) {
    const auto mask = follower.mask(at);
    std::vector<char> allowed;
    for (int32_t byte = 0; byte < 256; ++byte) {
      if (mask->allows(byte)) allowed.push_back(static_cast<char>(byte));
    }
    if (at.can_end && (allowed.empty() || step >= choices.size())) return text;
    // A grammar that is read in too many ways at once is left.
    if (allowed.empty()) return std::nullopt;
    const size_t choice = step < choices.size() ? static_cast<uint8_t>(choices[step]) : 0;
    text += allowed[choice % allowed.size()];
    at = follower.advance(at, {&text.back(), 1});
    KVASIR_CHECK(!at.is_dead(), "what a mask allows goes on");
  }
  return std::nullopt;
}

// Names of a free object may come twice, which the project's own reader refuses.
inline bool may_repeat_names(std::string_view text) {
  return std::count(text.begin(), text.end(), ':') > 1;
}

}  // namespace kvasir::fuzz
