// These functions read what people write, in files and at keyboards of any system: the same words
// give the same text.
#pragma once

#include <istream>
#include <optional>
#include <string>

#include "kvasir/result.h"

namespace kvasir::cli {

// Returns the text with all line ends ("\r\n", "\r") as "\n".
std::string with_plain_line_ends(std::string_view text);

// Returns a message as a chat takes it: plain line ends, no byte order mark, no line end or blank
// line behind the last word. Error: another encoding's byte order mark; `where` names the text.
Result<std::string> message_text(std::string_view text, std::string_view where);

// A LineReader reads line by line, whatever ends the lines. A byte order mark before the first one
// is no text.
class LineReader {
 public:
  explicit LineReader(std::istream& in) : in_(in) {}

  // Returns nothing where the input has ended. Error: the mark is one of another encoding.
  Result<std::optional<std::string>> next();

 private:
  std::istream& in_;
  bool is_first_ = true;
  // A line that ends with "\r" is handed out at once; a "\n" that follows belongs to it.
  bool skips_newline_ = false;
};

}  // namespace kvasir::cli
