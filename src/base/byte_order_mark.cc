#include "base/byte_order_mark.h"

#include <string>

namespace kvasir {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kUtf8Mark = "\xEF\xBB\xBF";

struct ForeignMark {
  std::string_view bytes;
  const char* encoding;
};
// The little-endian mark of UTF-32 begins with that of UTF-16.
constexpr ForeignMark kForeignMarks[] = {
    {"\xFF\xFE\0\0"sv, "UTF-32"},
    {"\0\0\xFE\xFF"sv, "UTF-32"},
    {"\xFF\xFE"sv, "UTF-16"},
    {"\xFE\xFF"sv, "UTF-16"},
};

}  // namespace

Result<std::string_view> without_byte_order_mark(std::string_view text, std::string_view where) {
  for (const ForeignMark& mark : kForeignMarks) {
    if (!text.starts_with(mark.bytes)) continue;
    return Error{.kind = ErrorKind::kUnsupported,
                 .what = "the text has an encoding that is not read here",
                 .where = std::string(where),
                 .expected = "UTF-8",
                 .found = mark.encoding,
                 .remedy = "save it as UTF-8"};
  }
  if (text.starts_with(kUtf8Mark)) text.remove_prefix(kUtf8Mark.size());
  return text;
}

}  // namespace kvasir
