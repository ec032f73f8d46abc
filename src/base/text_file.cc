#include "base/text_file.h"

#include <cerrno>
#include <cstdio>
#include <memory>

#include "base/byte_order_mark.h"
#include "base/system_error.h"

namespace kvasir {
namespace {

constexpr size_t kFileBytesMax = size_t{1} << 30;

Error unreadable(const std::string& path) {
  return system_error("cannot read the file", path, errno);
}

}  // namespace

Result<std::string> read_whole_file(const std::string& path) {
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
      return Error{.kind = ErrorKind::kUnsupported,
                   .what = "the file is too large",
                   .where = path,
                   .expected = "at most 1 GiB"};
    }
  }
  if (std::ferror(file.get()) != 0) return unreadable(path);
  return text;
}

Result<std::string> read_text_file(const std::string& path) {
  KVASIR_ASSIGN_OR_RETURN(std::string bytes, read_whole_file(path));
  KVASIR_ASSIGN_OR_RETURN(const std::string_view text, without_byte_order_mark(bytes, path));
  bytes.erase(0, bytes.size() - text.size());
  return bytes;
}

Status write_text_file(const std::string& path, std::string_view text) {
  std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "wb"), std::fclose);
  const bool is_written = file != nullptr &&
                          std::fwrite(text.data(), 1, text.size(), file.get()) == text.size() &&
                          std::fclose(file.release()) == 0;
  if (is_written) return ok_status();
  return system_error("cannot write the file", path, errno);
}

}  // namespace kvasir
