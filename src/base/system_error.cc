#include "base/system_error.h"

#include <cerrno>
#include <system_error>
#include <utility>

namespace kvasir {

ErrorKind kind_of_errno(int error_number) {
  switch (error_number) {
    case ENOENT:
    case ENOTDIR:
      return ErrorKind::kNotFound;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return ErrorKind::kNoRoom;
    case ENOMEM:
    case EMFILE:
    case ENFILE:
    case EAGAIN:
      return ErrorKind::kNoMemory;
    default:
      return ErrorKind::kIo;
  }
}

Error system_error(std::string what, std::string where, int error_number) {
  return Error{.kind = kind_of_errno(error_number),
               .what = std::move(what),
               .where = std::move(where),
               .found = std::generic_category().message(error_number)};
}

}  // namespace kvasir
