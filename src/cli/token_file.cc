#include "cli/token_file.h"

#include <charconv>

#include "base/text_file.h"

namespace kvasir::cli {
namespace {

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

}  // namespace

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
      return Error{.kind = ErrorKind::kUsage,
                   .what = "not a token id",
                   .where = path,
                   .offset = static_cast<uint64_t>(next - text.data()),
                   .expected = "integers separated by white space"};
    }
    ids.push_back(id);
    next = after;
  }
  if (ids.empty()) return Error{.kind = ErrorKind::kUsage, .what = "no token ids", .where = path};
  return ids;
}

}  // namespace kvasir::cli
