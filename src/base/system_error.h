// system_error turns an errno into an Error. Each errno has one wording and one kind, whoever made
// the call.
#pragma once

#include <string>

#include "kvasir/result.h"

namespace kvasir {

// kNotFound, kNoRoom, kNoMemory where the number says so; kIo for all others.
ErrorKind kind_of_errno(int error_number);

// "what, where, found No such file or directory"
Error system_error(std::string what, std::string where, int error_number);

}  // namespace kvasir
