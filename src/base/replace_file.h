// replace_file puts a file in the place of another. Any thread, but one at a time for each path.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "kvasir/result.h"

namespace kvasir {

// Writes PATH.new, waits until the device has it, then renames it. Error: a call was refused;
// nothing new is left then.
Status replace_file(const std::string& path, std::span<const std::byte> bytes);

}  // namespace kvasir
