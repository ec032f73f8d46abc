#include "text/code_point_set.h"

#include <algorithm>
#include <iterator>
#include <map>

#include "base/check.h"
#include "text/unicode_ranges.h"

namespace kvasir::text {
namespace {

constexpr uint32_t kEnd = kInvalidByte + 1;
constexpr uint32_t kCategoryBits = 5;
constexpr uint32_t kLongS = 0x17F;
constexpr uint32_t kKelvinSign = 0x212A;

constexpr uint32_t bit(GeneralCategory category) { return 1u << static_cast<uint32_t>(category); }

// Bits first to last.
constexpr uint32_t bits(GeneralCategory first, GeneralCategory last) {
  return (bit(last) << 1) - bit(first);
}

// The edges of what `is_member` says of (in a, in b).
template <class IsMember>
std::vector<uint32_t> combine(const std::vector<uint32_t>& a, const std::vector<uint32_t>& b,
                              IsMember is_member) {
  std::vector<uint32_t> edges;
  bool was_member = false;
  for (size_t i = 0, j = 0; i < a.size() || j < b.size();) {
    const uint32_t at = std::min(i < a.size() ? a[i] : kEnd, j < b.size() ? b[j] : kEnd);
    if (i < a.size() && a[i] == at) ++i;
    if (j < b.size() && b[j] == at) ++j;
    const bool now = is_member(i % 2 == 1, j % 2 == 1);
    if (now != was_member) edges.push_back(at);
    was_member = now;
  }
  return edges;
}

void fill_bits(std::vector<uint64_t>& words, uint32_t first, uint32_t end) {
  while (first < end) {
    const uint32_t in_word = first & 63;
    const uint32_t count = std::min(64 - in_word, end - first);
    const uint64_t ones = count == 64 ? ~uint64_t{0} : (uint64_t{1} << count) - 1;
    words[first >> 6] |= ones << in_word;
    first += count;
  }
}

}  // namespace

CodePointSet CodePointSet::range(uint32_t first, uint32_t last) {
  KVASIR_CHECK(first <= last && last <= kInvalidByte, "no range of characters");
  CodePointSet set;
  set.edges_ = {first, last + 1};
  return set;
}

CodePointSet CodePointSet::of_categories(uint32_t categories) {
  CodePointSet set;
  for (const uint32_t run : kUnicodeRanges) {
    const uint32_t category = run & ((1u << kCategoryBits) - 1);
    const bool is_in = set.edges_.size() % 2 == 1;
    if ((categories >> category & 1) != (is_in ? 1u : 0u)) {
      set.edges_.push_back(run >> kCategoryBits);
    }
  }
  if (set.edges_.size() % 2 == 1) set.edges_.push_back(kInvalidByte);
  return set;
}

CodePointSet CodePointSet::white_space() { return of_categories(bit(GeneralCategory::kSpace)); }

template <size_t kCount>
CodePointSet CodePointSet::of_edges(const uint32_t (&edges)[kCount]) {
  CodePointSet set;
  set.edges_.assign(std::begin(edges), std::end(edges));
  return set;
}

CodePointSet CodePointSet::word() {
  return of_categories(bits(GeneralCategory::kLu, GeneralCategory::kNl) |
                       bit(GeneralCategory::kPc)) |
         of_edges(kOtherWordEdges);
}

CodePointSet CodePointSet::han() { return of_edges(kHanEdges); }
CodePointSet CodePointSet::nfc_marks() { return of_edges(kNfcMarkEdges); }
CodePointSet CodePointSet::nfc_strangers() { return of_edges(kNfcStrangerEdges); }

CodePointSet CodePointSet::complement() const {
  CodePointSet set;
  set.edges_ = combine(edges_, {0, kEnd}, [](bool in, bool in_all) { return in_all && !in; });
  return set;
}

CodePointSet CodePointSet::operator|(const CodePointSet& other) const {
  CodePointSet set;
  set.edges_ = combine(edges_, other.edges_, [](bool a, bool b) { return a || b; });
  return set;
}

CodePointSet CodePointSet::operator&(const CodePointSet& other) const {
  CodePointSet set;
  set.edges_ = combine(edges_, other.edges_, [](bool a, bool b) { return a && b; });
  return set;
}

CodePointSet CodePointSet::with_other_case() const {
  CodePointSet set = *this;
  for (uint32_t small = 'a'; small <= 'z'; ++small) {
    const uint32_t capital = small - 'a' + 'A';
    if (!contains(small) && !contains(capital)) continue;
    set = set | single(small) | single(capital);
    if (small == 's') set = set | single(kLongS);
    if (small == 'k') set = set | single(kKelvinSign);
  }
  return set;
}

bool CodePointSet::contains(uint32_t code_point) const {
  const auto above = std::upper_bound(edges_.begin(), edges_.end(), code_point);
  return (above - edges_.begin()) % 2 == 1;
}

std::optional<uint32_t> CodePointSet::only_member() const {
  if (edges_.size() != 2 || edges_[1] != edges_[0] + 1) return std::nullopt;
  return edges_[0];
}

CodePointTable::CodePointTable(const CodePointSet& set) {
  using Page = std::array<uint64_t, kPageWords>;
  std::vector<uint64_t> bitmap(kPageCount * kPageWords);
  for (size_t i = 0; i < set.edges_.size(); i += 2) {
    fill_bits(bitmap, set.edges_[i], set.edges_[i + 1]);
  }
  std::map<Page, uint16_t> known;
  for (size_t page = 0; page < kPageCount; ++page) {
    Page words{};
    std::copy_n(bitmap.begin() + static_cast<ptrdiff_t>(page * kPageWords), kPageWords,
                words.begin());
    const auto [at, is_new] = known.emplace(words, static_cast<uint16_t>(known.size()));
    if (is_new) words_.insert(words_.end(), words.begin(), words.end());
    pages_[page] = at->second;
  }
}

}  // namespace kvasir::text
