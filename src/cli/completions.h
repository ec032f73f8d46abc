// These functions write scripts that make a shell complete the program's commands, options and
// their values. Each script stands by itself.
#pragma once

#include <string>

#include "cli/command_table.h"

namespace kvasir::cli {

std::string bash_completion(const CommandTable& table);
std::string zsh_completion(const CommandTable& table);
std::string fish_completion(const CommandTable& table);

}  // namespace kvasir::cli
