#include "cli/message_text.h"

#include "base/byte_order_mark.h"

namespace kvasir::cli {

std::string with_plain_line_ends(std::string_view text) {
  std::string plain;
  plain.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\r') {
      plain += text[i];
    } else if (i + 1 == text.size() || text[i + 1] != '\n') {
      plain += '\n';
    }
  }
  return plain;
}

Result<std::string> message_text(std::string_view text, std::string_view where) {
  KVASIR_ASSIGN_OR_RETURN(text, without_byte_order_mark(text, where));
  std::string message = with_plain_line_ends(text);
  const size_t last = message.find_last_not_of(" \t\n");
  const size_t end = message.find('\n', last == std::string::npos ? 0 : last);
  if (end != std::string::npos) message.resize(end);
  return message;
}

Result<std::optional<std::string>> LineReader::next() {
  std::string line;
  bool has_ended = false;
  char c = 0;
  while (!has_ended && in_.get(c)) {
    const bool belongs_before = skips_newline_ && c == '\n';
    skips_newline_ = c == '\r';
    if (belongs_before) continue;
    has_ended = c == '\n' || c == '\r';
    if (!has_ended) line += c;
  }
  if (!has_ended && line.empty()) return std::optional<std::string>();
  if (is_first_) {
    is_first_ = false;
    KVASIR_ASSIGN_OR_RETURN(const std::string_view text,
                            without_byte_order_mark(line, "standard input"));
    line.erase(0, line.size() - text.size());
  }
  return std::optional(std::move(line));
}

}  // namespace kvasir::cli
