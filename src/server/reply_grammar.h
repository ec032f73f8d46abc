// These functions find what the text of a call's replies may be: a form that was asked for, or the
// tools that it has to call. They run on the work queue's threads and use of the engine what any
// thread may use.
#pragma once

#include <vector>

#include "kvasir/result.h"
#include "server/dialect.h"
#include "server/prepare.h"

namespace kvasir::server {

// Beside the name of a tool a schema is that of its arguments.
bool has_schema_of_call(const Call& call);

// Error: a form of the answer beside a demand for calls, of which only one can be met.
Status check_form(Call& call);

// Makes the grammar that the call's constraint or its tools ask for, for its options. Error: one
// that cannot be followed, naming the field.
Status add_grammar(Served& served, Call& call, const std::vector<PreparedPrompt>& prompts);

}  // namespace kvasir::server
