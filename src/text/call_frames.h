// call_frame_of tells what stands around calls in the form in which a model writes them, as the
// grammar of demanded calls needs it: the table of forms (docs/tools.md) as it is written. What
// reads them is a CallReader.
//
// A free function; any number of threads may call it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "text/chat.h"

namespace kvasir::text {

// Markers are spelled out; those of ReplyForm::call_markers are one token each.
struct CallFrame {
  std::vector<std::string> openings;  // before the first call, one of these
  std::string before_name;
  std::string behind_name;
  std::string behind_arguments;
  std::string between;  // calls
  std::string closing;  // behind the last call
  // What stands around arguments that are elements: before the name, between name and a string or
  // other JSON, behind. None: arguments are an object of JSON.
  struct Elements {
    std::string open;
    std::string text;
    std::string json;
    std::string close;
    std::string none;  // stands where there is no element
  };
  std::optional<Elements> elements;
  std::string sign;                // what nothing but calls has in it
  bool begins_with_brace = false;  // a reply that does is a call
};

// None: the model writes no calls, or in a form that is not known or not enforced.
std::optional<CallFrame> call_frame_of(const ReplyForm& form);

}  // namespace kvasir::text
