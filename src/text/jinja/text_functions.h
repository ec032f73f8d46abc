// These functions do to texts what Python's str methods do. Every byte of a result keeps the origin
// it had. Offsets are bytes between characters. Free functions without state.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "text/jinja/limits.h"
#include "text/jinja/traced_text.h"
#include "text/jinja/value.h"

namespace kvasir::text::jinja {

enum class Side : uint8_t { kLeft, kRight, kBoth };

// Without these characters at its sides; without white space when none are given.
TracedText stripped(const TracedText& text, const std::optional<std::string>& characters, Side side,
                    Budget& budget);
// `count_max` < 0: all.
TracedText replaced(const TracedText& text, const TracedText& from, const TracedText& to,
                    int64_t count_max, Budget& budget);
// At white space when there is no separator. `is_from_right` matters when `count_max` >= 0.
std::vector<Value> split(const TracedText& text, const std::optional<std::string>& separator,
                         int64_t count_max, bool is_from_right, Budget& budget);
std::vector<TracedText> split_lines(const TracedText& text, bool keeps_ends, Budget& budget);
TracedText joined_with(const TracedText& separator, const std::vector<TracedText>& parts,
                       Budget& budget);

// With the entities of HTML for its signs; as it is, when it counts as HTML already.
TracedText html_escaped(const TracedText& text, Budget& budget);

TracedText lower(const TracedText& text, Budget& budget);
TracedText upper(const TracedText& text, Budget& budget);
TracedText capitalized(const TracedText& text, Budget& budget);
// str.title(): each run of letters begins with a capital one.
TracedText titled(const TracedText& text, Budget& budget);
// Blanks, or another character, at the sides up to a width. A text in the middle has the odd blank
// where Python puts it.
TracedText padded(const TracedText& text, int64_t width, std::string_view fill, Side text_side,
                  Budget& budget);

}  // namespace kvasir::text::jinja
