// call_texts builds the grammar of replies that call tools, in the form in which a model writes
// calls (CallFrame), with arguments that follow the schemas of the tools (CallArguments).
//
// All add to the builder that they are given, and own nothing of it. One thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "grammar/builder.h"
#include "grammar/json_text.h"
#include "grammar/schema.h"
#include "kvasir/result.h"

namespace kvasir::grammar {

// What stands around arguments that are elements, as ElementParts has it.
struct ElementTexts {
  std::string open;
  std::string text;
  std::string json;
  std::string close;
  std::string none;  // stands where there is no element
};

// What stands around names and arguments. Markers stand in it as bytes (marker.h).
struct CallFrame {
  std::vector<std::string> openings;  // before the first call, one of these
  std::string before_name;
  std::string behind_name;
  std::string behind_arguments;
  std::string between;  // calls
  std::string closing;  // behind the last call
  // Arguments are elements. None: a JSON object.
  std::optional<ElementTexts> elements;
  // Where this stands in a reply there are calls: a marker, or a text whose first byte it has once.
  std::string sign;
  // A reply that begins with a brace is a call.
  bool begins_with_brace = false;
};

// The arguments of calls, as a frame has them. It refers to its builder.
class CallArguments {
 public:
  CallArguments(Builder& builder, const CallFrame& frame);

  // What a schema allows. Null: there are none. Errors: read_schema's.
  Result<NodeId> of(const Json* schema);
  NodeId any();

 private:
  Builder& builder_;
  JsonText text_;
  std::optional<ElementParts> elements_;
  std::optional<NodeId> any_;
};

struct CalledTool {
  std::string name;
  NodeId arguments = 0;
};

struct CallCounts {
  int64_t max = 0;           // 0: any number
  bool are_demanded = true;  // false: a text may come instead, or before
  bool is_opened = false;    // the opening stands before the reply
};
// REQUIRES: there are tools, no two of one name.
NodeId call_texts(Builder& builder, const CallFrame& frame, const std::vector<CalledTool>& tools,
                  const CallCounts& counts);

}  // namespace kvasir::grammar
