// A CharacterSet is a set of Unicode characters, and knows how its members are written: as UTF-8,
// or inside a JSON string. A value.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "grammar/builder.h"

namespace kvasir::grammar {

class CharacterSet {
 public:
  CharacterSet() = default;  // empty
  // REQUIRES: first <= last <= 0x10FFFF.
  static CharacterSet range(uint32_t first, uint32_t last);
  static CharacterSet single(uint32_t character) { return range(character, character); }
  static CharacterSet all();  // no surrogates

  void add(const CharacterSet& other);
  CharacterSet complement() const;  // of all()
  CharacterSet operator&(const CharacterSet& other) const;
  bool contains(uint32_t character) const;
  // None unless it has exactly one.
  std::optional<uint32_t> only_member() const;
  bool is_empty() const { return ranges_.empty(); }

  // One member as UTF-8.
  NodeId utf8(Builder& builder) const;
  // One member as it stands in a JSON string: escaped in one way where it has to be.
  NodeId json(Builder& builder) const;

 private:
  void normalize();

  std::vector<std::pair<uint32_t, uint32_t>> ranges_;  // in order, apart from each other
};

}  // namespace kvasir::grammar
