// How the checkpoint maker spells tensor names: written apart from the loader's table, so that the
// two check each other.
#pragma once

#include <string>

#include "checkpoint_maker.h"

namespace kvasir::testing {

std::string spelled(std::string official_name, NameForm form);

}  // namespace kvasir::testing
