#include "grammar/characters.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

namespace kvasir::grammar {
namespace {

constexpr uint32_t kLast = 0x10FFFF;
constexpr uint32_t kFirstSurrogate = 0xD800;
constexpr uint32_t kLastSurrogate = 0xDFFF;
// The last characters of 1, 2, 3 and 4 bytes.
constexpr std::array<uint32_t, 4> kLastOfSize = {0x7F, 0x7FF, 0xFFFF, kLast};

// Bytes of a character of `size` bytes, the first one first.
std::array<uint8_t, 4> bytes_of(uint32_t character, int size) {
  constexpr std::array<uint8_t, 4> kFirst = {0, 0xC0, 0xE0, 0xF0};
  std::array<uint8_t, 4> bytes{};
  for (int i = size - 1; i > 0; --i) {
    bytes[static_cast<size_t>(i)] = static_cast<uint8_t>(0x80 | (character & 0x3F));
    character >>= 6;
  }
  bytes[0] = static_cast<uint8_t>(kFirst[static_cast<size_t>(size) - 1] | character);
  return bytes;
}

// Both ends have `size` bytes. Cuts the range where its bytes would depend on each other: a piece
// that is left has independent ranges of bytes.
void add_pieces(Builder& builder, uint32_t first, uint32_t last, int size,
                std::vector<NodeId>& out) {
  for (int i = 1; i < size; ++i) {
    const uint32_t low = (uint32_t{1} << (6 * i)) - 1;
    if ((first & ~low) == (last & ~low)) continue;
    if ((first & low) != 0) {
      add_pieces(builder, first, first | low, size, out);
      return add_pieces(builder, (first | low) + 1, last, size, out);
    }
    if ((last & low) != low) {
      add_pieces(builder, first, (last & ~low) - 1, size, out);
      return add_pieces(builder, last & ~low, last, size, out);
    }
  }
  const auto begin = bytes_of(first, size);
  const auto end = bytes_of(last, size);
  std::vector<NodeId> bytes;
  for (size_t i = 0; i < static_cast<size_t>(size); ++i) {
    bytes.push_back(builder.byte_range(begin[i], end[i]));
  }
  out.push_back(builder.sequence(std::move(bytes)));
}

std::string escape_of(uint32_t character) {
  constexpr std::string_view kShort = "\"\\\b\f\n\r\t";
  constexpr std::string_view kLetters = "\"\\bfnrt";
  const size_t at = kShort.find(static_cast<char>(character));
  if (at != std::string_view::npos) return std::string("\\") + kLetters[at];
  constexpr std::string_view kDigits = "0123456789abcdef";
  return std::string("\\u00") + kDigits[character >> 4] + kDigits[character & 15];
}

bool has_to_be_escaped(uint32_t character) {
  return character < 0x20 || character == '"' || character == '\\';
}

}  // namespace

CharacterSet CharacterSet::range(uint32_t first, uint32_t last) {
  CharacterSet set;
  set.ranges_.emplace_back(first, last);
  return set;
}

CharacterSet CharacterSet::all() {
  CharacterSet set = range(0, kFirstSurrogate - 1);
  set.add(range(kLastSurrogate + 1, kLast));
  return set;
}

void CharacterSet::add(const CharacterSet& other) {
  ranges_.insert(ranges_.end(), other.ranges_.begin(), other.ranges_.end());
  normalize();
}

void CharacterSet::normalize() {
  std::sort(ranges_.begin(), ranges_.end());
  std::vector<std::pair<uint32_t, uint32_t>> merged;
  for (const auto& range : ranges_) {
    if (!merged.empty() && range.first <= merged.back().second + 1) {
      merged.back().second = std::max(merged.back().second, range.second);
    } else {
      merged.push_back(range);
    }
  }
  ranges_ = std::move(merged);
}

CharacterSet CharacterSet::complement() const {
  CharacterSet without;
  uint32_t next = 0;
  for (const auto& [first, last] : ranges_) {
    if (first > next) without.ranges_.emplace_back(next, first - 1);
    next = last + 1;
  }
  if (next <= kLast) without.ranges_.emplace_back(next, kLast);
  return without & all();
}

CharacterSet CharacterSet::operator&(const CharacterSet& other) const {
  CharacterSet both;
  for (size_t i = 0, j = 0; i < ranges_.size() && j < other.ranges_.size();) {
    const uint32_t first = std::max(ranges_[i].first, other.ranges_[j].first);
    const uint32_t last = std::min(ranges_[i].second, other.ranges_[j].second);
    if (first <= last) both.ranges_.emplace_back(first, last);
    ++(ranges_[i].second < other.ranges_[j].second ? i : j);
  }
  return both;
}

bool CharacterSet::contains(uint32_t character) const {
  return std::any_of(ranges_.begin(), ranges_.end(), [&](const auto& range) {
    return range.first <= character && character <= range.second;
  });
}

std::optional<uint32_t> CharacterSet::only_member() const {
  const bool has_one = ranges_.size() == 1 && ranges_.front().first == ranges_.front().second;
  return has_one ? std::optional(ranges_.front().first) : std::nullopt;
}

NodeId CharacterSet::utf8(Builder& builder) const {
  std::vector<NodeId> pieces;
  ByteSet ascii;
  for (const auto& [first, last] : (*this & all()).ranges_) {
    uint32_t begin = first;
    for (int size = 1; size <= 4 && begin <= last; ++size) {
      const uint32_t end = std::min(last, kLastOfSize[static_cast<size_t>(size) - 1]);
      if (end < begin) continue;
      if (size == 1) {
        for (uint32_t byte = begin; byte <= end; ++byte) ascii.set(byte);
      } else {
        add_pieces(builder, begin, end, size, pieces);
      }
      begin = end + 1;
    }
  }
  if (ascii.any()) pieces.push_back(builder.bytes(ascii));
  return builder.choice(std::move(pieces));
}

NodeId CharacterSet::json(Builder& builder) const {
  CharacterSet plain = *this;
  std::vector<NodeId> ways;
  for (uint32_t character = 0; character < 0x80; ++character) {
    if (!has_to_be_escaped(character) || !contains(character)) continue;
    ways.push_back(builder.text(escape_of(character)));
    plain = plain & single(character).complement();
  }
  if (!plain.is_empty()) ways.push_back(plain.utf8(builder));
  return builder.choice(std::move(ways));
}

}  // namespace kvasir::grammar
