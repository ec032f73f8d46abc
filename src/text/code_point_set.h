// A CodePointSet is a set of characters under construction, with the algebra of sets; a
// CodePointTable answers fast whether a character is in one.
//
// kInvalidByte counts as a character that no property names: only complements hold it. Both are
// values; any number of threads may read one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/utf8.h"
#include "text/unicode_category.h"

namespace kvasir::text {

class CodePointSet {
 public:
  CodePointSet() = default;  // empty
  // REQUIRES: first <= last <= kInvalidByte.
  static CodePointSet range(uint32_t first, uint32_t last);
  static CodePointSet single(uint32_t code_point) { return range(code_point, code_point); }
  // `categories`: bit n stands for GeneralCategory n.
  static CodePointSet of_categories(uint32_t categories);
  static CodePointSet white_space();
  static CodePointSet word();  // letters, marks, digits, connectors and their like
  static CodePointSet han();
  // Marks that the normal form C of the models' tokenizers puts in order.
  static CodePointSet nfc_marks();
  // What newer versions of Unicode compose, and that normal form does not.
  static CodePointSet nfc_strangers();

  CodePointSet complement() const;
  CodePointSet operator|(const CodePointSet& other) const;
  CodePointSet operator&(const CodePointSet& other) const;
  // With the characters that differ by case alone from an ASCII letter in it.
  CodePointSet with_other_case() const;

  bool contains(uint32_t code_point) const;
  // Null unless it has exactly one.
  std::optional<uint32_t> only_member() const;
  bool operator==(const CodePointSet&) const = default;

 private:
  friend class CodePointTable;

  template <size_t kCount>
  static CodePointSet of_edges(const uint32_t (&edges)[kCount]);

  // Where members and others begin, by turns; others begin at 0 unless that is an edge.
  std::vector<uint32_t> edges_;
};

class CodePointTable {
 public:
  explicit CodePointTable(const CodePointSet& set);

  // REQUIRES: code_point <= kInvalidByte.
  bool contains(uint32_t code_point) const {
    const uint64_t bits = words_[pages_[code_point >> 8] * kPageWords + (code_point >> 6 & 3)];
    return (bits >> (code_point & 63) & 1) != 0;
  }

 private:
  static constexpr size_t kPageWords = 4;
  static constexpr size_t kPageCount = (kInvalidByte >> 8) + 1;

  std::array<uint16_t, kPageCount> pages_{};  // which of words_' pages; equal ones are kept once
  std::vector<uint64_t> words_;
};

}  // namespace kvasir::text
