// What a directory holds, by name.
#pragma once

#include <string>

namespace kvasir {

bool is_directory(const std::string& path);

// Its first names in alphabetical order, for a message: "a, b, c and 5 more"; "nothing".
std::string names_in(const std::string& directory);

}  // namespace kvasir
