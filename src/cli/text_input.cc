#include "cli/text_input.h"

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <memory>

namespace kvasir::cli {
namespace {

constexpr size_t kFileBytesMax = size_t{1} << 30;

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

Error unreadable(const std::string& path) {
  return Error{.what = "cannot read the file", .where = path, .found = std::strerror(errno)};
}

}  // namespace

Result<std::string> read_text_file(const std::string& path) {
  const auto close = [](FILE* opened) {
    if (opened != stdin) std::fclose(opened);
  };
  std::unique_ptr<FILE, decltype(close)> file(path == "-" ? stdin : std::fopen(path.c_str(), "rb"),
                                              close);
  if (file == nullptr) return unreadable(path);
  std::string text;
  char buffer[65536];
  errno = 0;
  for (size_t got = 1; got > 0;) {
    got = std::fread(buffer, 1, sizeof buffer, file.get());
    text.append(buffer, got);
    if (text.size() > kFileBytesMax) {
      return Error{.what = "the file is too large", .where = path, .expected = "at most 1 GiB"};
    }
  }
  if (std::ferror(file.get()) != 0) return unreadable(path);
  return text;
}

Result<std::vector<int32_t>> read_token_file(const std::string& path) {
  KVASIR_ASSIGN_OR_RETURN(const std::string text, read_text_file(path));
  std::vector<int32_t> ids;
  const char* next = text.data();
  const char* const end = text.data() + text.size();
  while (true) {
    while (next != end && is_space(*next)) ++next;
    if (next == end) break;
    int32_t id = 0;
    const auto [after, error] = std::from_chars(next, end, id);
    if (error != std::errc() || (after != end && !is_space(*after))) {
      return Error{.what = "not a token id",
                   .where = path,
                   .offset = static_cast<uint64_t>(next - text.data()),
                   .expected = "integers separated by white space"};
    }
    ids.push_back(id);
    next = after;
  }
  if (ids.empty()) return Error{.what = "no token ids", .where = path};
  return ids;
}

}  // namespace kvasir::cli
