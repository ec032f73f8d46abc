#include "base/foreign_content.h"

#include <algorithm>
#include <cctype>
#include <string>

namespace kvasir {
namespace {

constexpr size_t kSeenBytes = 64;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::string_view kBlanks = " \t\r\n";
constexpr std::string_view kDownload = "download the file itself";

std::string_view first_line(std::string_view text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  return line.substr(0, kSeenBytes);
}

std::string_view without_blanks(std::string_view bytes) {
  if (bytes.starts_with(kByteOrderMark)) bytes.remove_prefix(kByteOrderMark.size());
  return bytes.substr(std::min(bytes.find_first_not_of(kBlanks), bytes.size()));
}

bool begins_in_any_case(std::string_view text, std::string_view lower) {
  return text.size() >= lower.size() &&
         std::equal(lower.begin(), lower.end(), text.begin(), [](char expected, char found) {
           return std::tolower(static_cast<unsigned char>(found)) == expected;
         });
}

bool is_lfs_pointer(std::string_view bytes) {
  return bytes.starts_with("version https://git-lfs.github.com/spec/") ||
         bytes.starts_with("version https://hawser.github.com/spec/");
}

bool is_markup(std::string_view text) {
  constexpr std::string_view kBeginnings[] = {"<!doctype", "<html", "<head", "<?xml", "<error"};
  return std::any_of(std::begin(kBeginnings), std::end(kBeginnings),
                     [&](std::string_view one) { return begins_in_any_case(text, one); });
}

bool is_text(std::string_view bytes) {
  const std::string_view seen = bytes.substr(0, kSeenBytes);
  return !seen.empty() && std::all_of(seen.begin(), seen.end(), [](unsigned char c) {
    return (c >= 0x20 && c < 0x7f) || kBlanks.find(static_cast<char>(c)) != std::string_view::npos;
  });
}

// "size 9490710", a line of the pointer.
std::string size_in_pointer(std::string_view bytes) {
  constexpr std::string_view kSize = "\nsize ";
  const size_t at = bytes.find(kSize);
  if (at == std::string_view::npos) return "a pointer";
  return "a pointer to " + std::string(first_line(bytes.substr(at + kSize.size()))) + " bytes";
}

Error foreign(std::string_view path, std::string what, std::string found, std::string remedy) {
  return Error{.kind = ErrorKind::kDamaged,
               .what = std::move(what),
               .where = std::string(path),
               .found = std::move(found),
               .remedy = std::move(remedy)};
}

bool is_all_zeros(std::string_view bytes) {
  return bytes.size() >= kSeenBytes &&
         bytes.substr(0, kSeenBytes).find_first_not_of('\0') == std::string_view::npos;
}

}  // namespace

Status check_content(std::string_view bytes, std::string_view path, FileForm form) {
  if (is_lfs_pointer(bytes)) {
    return foreign(path, "a Git LFS pointer stands where the file should be",
                   size_in_pointer(bytes), "'git lfs pull' in that directory fetches the file");
  }
  const std::string_view text = without_blanks(bytes);
  if (is_markup(text)) {
    return foreign(path, "a web page or a server's answer stands where the file should be",
                   std::string(first_line(text)), std::string(kDownload));
  }
  if (is_all_zeros(bytes)) {
    return foreign(path, "the file begins with zeros: its download did not finish", "",
                   std::string(kDownload));
  }
  if (form == FileForm::kJson && text.empty()) {
    return foreign(path, "malformed JSON", "an empty file", std::string(kDownload));
  }
  const bool is_other_text =
      form == FileForm::kJson ? !text.starts_with('{') && !text.starts_with('[') : !text.empty();
  if (!is_text(bytes) || !is_other_text) return ok_status();
  return foreign(path, "a text stands where the file should be", std::string(first_line(text)),
                 std::string(kDownload));
}

}  // namespace kvasir
