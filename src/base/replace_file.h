// replace_file puts a file in the place of another. Any thread, but one at a time for each path.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "kvasir/result.h"

namespace kvasir {

// Who may use a new file; one that is replaced leaves its own behind.
enum class FileAccess : uint8_t { kAll, kOwner };

// Error: no file could be put there: something else than a file is there, or the folder takes none.
// To be asked before work whose result would be lost.
Status check_replaceable(const std::string& path);

// Writes a file beside it, waits until the device has it, then gives it the name. Of a link, what
// it leads to is replaced. Error: as check_replaceable(), or a call was refused; nothing new is
// left then.
Status replace_file(const std::string& path, std::span<const std::byte> bytes,
                    FileAccess access = FileAccess::kAll);

}  // namespace kvasir
