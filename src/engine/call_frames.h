// call_frame_of tells what stands around calls in the form in which a model writes them: the table
// of forms, as grammars need it. docs/tools.md has the forms; text/call_reader.h reads them.
//
// A free function; any number of threads may call it.
#pragma once

#include <optional>

#include "grammar/calls.h"
#include "text/chat.h"

namespace kvasir {

// Markers that the vocabulary has stand in it as those of ReplyForm::call_markers, by index. None:
// the model writes no calls, or in a form that is not known.
std::optional<grammar::CallFrame> call_frame_of(const text::ReplyForm& form);

}  // namespace kvasir
