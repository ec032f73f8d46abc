// man_page() writes the manual's page of the program, kvasir(1), in roff.
#pragma once

#include <string>

#include "cli/command_table.h"

namespace kvasir::cli {

std::string man_page(const CommandTable& table, const std::string& version);

}  // namespace kvasir::cli
