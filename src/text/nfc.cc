#include "text/nfc.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "base/check.h"
#include "base/utf8.h"
#include "text/code_point_set.h"

namespace kvasir::text {
namespace {

// No character below composes with one before it, and none decomposes and stays so.
constexpr uint32_t kFirstToCompose = 0x300;
constexpr size_t kDecomposedMax = 32;

using Characters = std::vector<utf8proc_int32_t>;

bool has_to_compose(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const Utf8Character character = read_character(text, at);
    if (character.code_point >= kFirstToCompose) return true;
    at += character.size_bytes;
  }
  return false;
}

int combining_class(utf8proc_int32_t character) {
  return utf8proc_get_property(character)->combining_class;
}

// What the library knows from newer versions of Unicode than the models' tokenizers do. For those
// it is a character like any other.
bool is_stranger(uint32_t code_point) {
  static const CodePointTable kMarks(CodePointSet::nfc_marks());
  static const CodePointTable kStrangers(CodePointSet::nfc_strangers());
  if (code_point == kInvalidByte || kStrangers.contains(code_point)) return true;
  return combining_class(static_cast<utf8proc_int32_t>(code_point)) != 0 &&
         !kMarks.contains(code_point);
}

void append_decomposed(uint32_t code_point, Characters& characters) {
  std::array<utf8proc_int32_t, kDecomposedMax> parts{};
  int last_boundary = 0;
  const utf8proc_ssize_t count = utf8proc_decompose_char(
      static_cast<utf8proc_int32_t>(code_point), parts.data(), kDecomposedMax,
      static_cast<utf8proc_option_t>(UTF8PROC_DECOMPOSE | UTF8PROC_STABLE), &last_boundary);
  KVASIR_CHECK(count >= 0 && count <= static_cast<utf8proc_ssize_t>(kDecomposedMax),
               "a character has no decomposition");
  characters.insert(characters.end(), parts.begin(), parts.begin() + count);
}

// Marks in the order of their classes; the library's own sorting takes quadratic time.
void sort_marks(Characters& characters) {
  const auto is_mark = [](utf8proc_int32_t c) { return combining_class(c) != 0; };
  for (auto first = characters.begin(); first != characters.end();) {
    first = std::find_if(first, characters.end(), is_mark);
    const auto last = std::find_if_not(first, characters.end(), is_mark);
    std::stable_sort(first, last, [](utf8proc_int32_t a, utf8proc_int32_t b) {
      return combining_class(a) < combining_class(b);
    });
    first = last;
  }
}

void append_composed(Characters& characters, std::string& out) {
  sort_marks(characters);
  const utf8proc_ssize_t count =
      utf8proc_normalize_utf32(characters.data(), static_cast<utf8proc_ssize_t>(characters.size()),
                               static_cast<utf8proc_option_t>(UTF8PROC_COMPOSE | UTF8PROC_STABLE));
  KVASIR_CHECK(count >= 0, "characters cannot be composed");
  for (utf8proc_ssize_t i = 0; i < count; ++i) {
    append_character(static_cast<uint32_t>(characters[static_cast<size_t>(i)]), out);
  }
  characters.clear();
}

}  // namespace

std::string to_nfc(std::string_view text) {
  if (!has_to_compose(text)) return std::string(text);
  std::string out;
  out.reserve(text.size());
  Characters characters;
  for (size_t at = 0; at < text.size();) {
    const Utf8Character character = read_character(text, at);
    if (is_stranger(character.code_point)) {
      append_composed(characters, out);
      out += text.substr(at, character.size_bytes);
    } else {
      append_decomposed(character.code_point, characters);
    }
    at += character.size_bytes;
  }
  append_composed(characters, out);
  return out;
}

}  // namespace kvasir::text
