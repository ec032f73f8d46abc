#include "text/unicode_category.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "text/unicode_ranges.h"

namespace kvasir::text {
namespace {

constexpr uint32_t kCodePointCount = 0x110000;
constexpr uint32_t kPageBits = 8;
constexpr uint32_t kPageCount = kCodePointCount >> kPageBits;
constexpr uint32_t kCategoryBits = 5;
constexpr size_t kRangeCount = std::size(kUnicodeRanges);

constexpr uint32_t range_start(size_t range) { return kUnicodeRanges[range] >> kCategoryBits; }

// For each page of 256 code points the range that its first one lies in: most pages lie in one
// range, and the search within the others takes a few steps.
constexpr std::array<uint16_t, kPageCount + 1> make_page_ranges() {
  static_assert(kRangeCount < 0x10000);
  static_assert(range_start(0) == 0);
  std::array<uint16_t, kPageCount + 1> ranges{};
  size_t range = 0;
  for (uint32_t page = 0; page <= kPageCount; ++page) {
    while (range + 1 < kRangeCount && range_start(range + 1) <= page << kPageBits) ++range;
    ranges[page] = static_cast<uint16_t>(range);
  }
  return ranges;
}

constexpr std::array<uint16_t, kPageCount + 1> kPageRanges = make_page_ranges();

}  // namespace

GeneralCategory general_category_of(uint32_t code_point) {
  if (code_point >= kCodePointCount) return GeneralCategory::kOther;
  const uint32_t page = code_point >> kPageBits;
  const uint32_t* first = kUnicodeRanges + kPageRanges[page];
  const uint32_t* last = kUnicodeRanges + kPageRanges[page + 1] + 1;
  const uint32_t beyond = (code_point + 1) << kCategoryBits;  // above each range that starts so far
  const uint32_t range = *(std::lower_bound(first, last, beyond) - 1);
  return static_cast<GeneralCategory>(range & ((1u << kCategoryBits) - 1));
}

Category category_of(uint32_t code_point) {
  const GeneralCategory category = general_category_of(code_point);
  const auto is_from = [category](GeneralCategory first, GeneralCategory last) {
    return category >= first && category <= last;
  };
  if (is_from(GeneralCategory::kLu, GeneralCategory::kLo)) return Category::kLetter;
  if (is_from(GeneralCategory::kMn, GeneralCategory::kMe)) return Category::kMark;
  if (is_from(GeneralCategory::kNd, GeneralCategory::kNo)) return Category::kNumber;
  if (is_from(GeneralCategory::kPc, GeneralCategory::kPo)) return Category::kPunctuation;
  if (is_from(GeneralCategory::kSm, GeneralCategory::kSo)) return Category::kSymbol;
  return category == GeneralCategory::kSpace ? Category::kSpace : Category::kOther;
}

}  // namespace kvasir::text
