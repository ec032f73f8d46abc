// check_content tells what often lies where a model's file should: a pointer of Git LFS, a web page
// or a line of text that a server sent instead, zeros of a download that did not finish.
#pragma once

#include <cstdint>
#include <string_view>

#include "kvasir/result.h"

namespace kvasir {

enum class FileForm : uint8_t {
  kJson,
  kBinary  // no text at its beginning
};

// `path` names the file in messages. Error: the bytes are none of that form, but something known.
// Whatever else is wrong with them the reader of the form will say.
Status check_content(std::string_view bytes, std::string_view path, FileForm form);

}  // namespace kvasir
