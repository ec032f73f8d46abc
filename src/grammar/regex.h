// read_regex turns a regular expression into a part of a grammar.
//
// It reads what JSON Schema, Python and Perl have in common and a grammar can say: characters,
// ".", sets in brackets, \d \w \s and their opposites (of ASCII), alternation, groups, quantifiers
// with bounds, "^" at the beginning and "$" at the end of an alternative that no group holds.
// Look-around, back references and word boundaries are refused. Lazy quantifiers count as others.
#pragma once

#include <string_view>

#include "grammar/builder.h"
#include "grammar/characters.h"
#include "kvasir/result.h"

namespace kvasir::grammar {

struct RegexOptions {
  // How a member of a set is written.
  NodeId (CharacterSet::*write)(Builder& builder) const = &CharacterSet::utf8;
  // The text has to match as a whole; else it is enough that a part of it does, where no "^" or "$"
  // says otherwise.
  bool is_anchored = true;
  // With is_anchored false: any one character of the rest.
  NodeId any_character = 0;
};

// Error: kUsage, with the offset of what is wrong.
Result<NodeId> read_regex(Builder& builder, std::string_view pattern, const RegexOptions& options);

}  // namespace kvasir::grammar
