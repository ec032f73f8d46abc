// find_unset_names says of each scope in a syntax tree which names are undefined in it until they
// are set. Jinja decides this when it compiles: where the first thing that a scope does with a name
// is to set it, macros and loops that stand before it see no variable of that name, not even a
// global one. A free function without state.
#pragma once

#include "text/jinja/syntax.h"

namespace kvasir::text::jinja {

// Fills in Body::unset_names, from the outermost body down.
void find_unset_names(Body& root);

}  // namespace kvasir::text::jinja
