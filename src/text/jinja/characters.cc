#include "text/jinja/characters.h"

#include <algorithm>
#include <iterator>
#include <span>

#include "base/utf8.h"
#include "text/jinja/case_table.h"

namespace kvasir::text::jinja {
namespace {

struct CaseTable {
  std::span<const CaseRun> runs;
  std::span<const CaseSpecial> specials;
};

CaseTable table_of(Case letter_case) {
  switch (letter_case) {
    case Case::kLower:
      return {kLowerRuns, kLowerSpecials};
    case Case::kUpper:
      return {kUpperRuns, kUpperSpecials};
    case Case::kTitle:
      break;
  }
  return {kTitleRuns, kTitleSpecials};
}

const char* special_of(std::span<const CaseSpecial> specials, uint32_t code_point) {
  const auto found = std::ranges::lower_bound(specials, code_point, {}, &CaseSpecial::code_point);
  return found != specials.end() && found->code_point == code_point ? found->text : nullptr;
}

uint32_t mapped(std::span<const CaseRun> runs, uint32_t code_point) {
  const auto run = std::ranges::lower_bound(runs, code_point, {}, &CaseRun::last);
  if (run == runs.end() || code_point < run->first) return code_point;
  if ((code_point - run->first) % run->stride != 0) return code_point;
  return code_point + static_cast<uint32_t>(run->delta);
}

}  // namespace

bool is_python_space(uint32_t code_point) {
  if (code_point < 0x80) {
    return code_point == ' ' || (code_point >= 0x09 && code_point <= 0x0D) ||
           (code_point >= 0x1C && code_point <= 0x1F);
  }
  return code_point == 0x85 || code_point == 0xA0 || code_point == 0x1680 ||
         (code_point >= 0x2000 && code_point <= 0x200A) || code_point == 0x2028 ||
         code_point == 0x2029 || code_point == 0x202F || code_point == 0x205F ||
         code_point == 0x3000;
}

bool is_line_end(uint32_t code_point) {
  return (code_point >= 0x0A && code_point <= 0x0D) || (code_point >= 0x1C && code_point <= 0x1E) ||
         code_point == 0x85 || code_point == 0x2028 || code_point == 0x2029;
}

void append_in_case(uint32_t code_point, Case letter_case, std::string& out) {
  const CaseTable table = table_of(letter_case);
  if (const char* text = special_of(table.specials, code_point)) {
    out += text;
  } else {
    append_character(mapped(table.runs, code_point), out);
  }
}

void append_in_case(std::string_view bytes, Case letter_case, std::string& out) {
  for (size_t at = 0; at < bytes.size();) {
    const Utf8Character character = read_character(bytes, at);
    if (character.code_point == kInvalidByte) {
      out += bytes[at];
    } else {
      append_in_case(character.code_point, letter_case, out);
    }
    at += character.size_bytes;
  }
}

}  // namespace kvasir::text::jinja
