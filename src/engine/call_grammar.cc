#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "engine/call_frames.h"
#include "engine/engine_state.h"
#include "engine/make_grammar.h"
#include "engine/reply_form.h"
#include "grammar/builder.h"
#include "grammar/calls.h"
#include "kvasir/grammar.h"

namespace kvasir {
namespace {

using grammar::Automaton;
using grammar::Builder;
using grammar::CalledTool;
using grammar::CallFrame;
using grammar::NodeId;

// The schemas of some tools: null, a tool has none, or any arguments will do.
struct Arguments {
  std::optional<Json> schema;
  bool is_free = false;
};

Result<Arguments> arguments_of(const Tool& tool) {
  if (tool.parameters.empty()) return Arguments();
  KVASIR_ASSIGN_OR_RETURN(Json schema, parsed_schema(tool.parameters));
  return Arguments{.schema = std::move(schema)};
}

Result<NodeId> add_arguments(Builder& builder, const CallFrame& frame, const Arguments& arguments) {
  if (arguments.is_free) return grammar::free_arguments(builder, frame);
  return grammar::call_arguments(builder, frame, arguments.schema ? &*arguments.schema : nullptr);
}

// How many states they take. Error: they cannot be followed.
Result<size_t> states_of(const CallFrame& frame, const Arguments& arguments) {
  Builder builder;
  KVASIR_ASSIGN_OR_RETURN(const NodeId node, add_arguments(builder, frame, arguments));
  KVASIR_ASSIGN_OR_RETURN(const Automaton automaton, builder.build_of(node));
  return automaton.states.size();
}

class CallPlanner {
 public:
  CallPlanner(const CallFrame& frame, const CallRules& rules)
      : frame_(frame), rules_(rules), arguments_(rules.tools.size()) {}

  Result<GrammarPlan> plan() {
    // What strict ones leave of the room is the others'.
    for (const bool is_strict : {true, false}) {
      for (size_t i = 0; i < arguments_.size(); ++i) {
        if (rules_.tools[i].is_strict != is_strict) continue;
        KVASIR_RETURN_IF_ERROR(read_arguments(rules_.tools[i], arguments_[i]));
      }
    }
    return assemble();
  }

 private:
  // Half of what a grammar may take is left to names and what stands around them.
  static constexpr size_t kStatesMax = Builder::kStatesMax / 2;
  // Finding out that a schema is too large takes longer than reading it.
  static constexpr size_t kUnfollowedMax = 32;

  Result<GrammarPlan> assemble() {
    Builder builder;
    std::vector<CalledTool> tools;
    std::optional<NodeId> any;
    for (size_t i = 0; i < arguments_.size(); ++i) {
      if (arguments_[i].is_free && any) {
        tools.push_back({rules_.tools[i].name, *any});
        continue;
      }
      KVASIR_ASSIGN_OR_RETURN(NodeId node, add_arguments(builder, frame_, arguments_[i]));
      if (arguments_[i].is_free) any = node = builder.shared(node);
      tools.push_back({rules_.tools[i].name, node});
    }
    const grammar::CallCounts counts{.max = rules_.calls_max,
                                     .are_demanded = rules_.are_demanded,
                                     .is_opened = rules_.is_opened};
    KVASIR_ASSIGN_OR_RETURN(Automaton automaton,
                            builder.build_of(grammar::call_texts(builder, frame_, tools, counts)));
    return GrammarPlan{.automaton = std::move(automaton), .unfollowed = std::move(unfollowed_)};
  }

  Status read_arguments(const Tool& tool, Arguments& arguments) {
    Result<Arguments> read = followed_arguments(tool);
    if (read.ok()) {
      arguments = *std::move(read);
      return ok_status();
    }
    if (tool.is_strict) {
      Error error = std::move(read).error();
      error.field = tool.field;
      return error;
    }
    unfollowed_.push_back(tool.name);
    arguments.is_free = true;
    return ok_status();
  }

  Result<Arguments> followed_arguments(const Tool& tool) {
    Error too_large{.kind = ErrorKind::kUsage,
                    .what = "the schemas of the tools are too large together"};
    if (unfollowed_.size() >= kUnfollowedMax) return too_large;
    KVASIR_ASSIGN_OR_RETURN(Arguments arguments, arguments_of(tool));
    KVASIR_ASSIGN_OR_RETURN(const size_t states, states_of(frame_, arguments));
    if (states_ + states > kStatesMax) return too_large;
    states_ += states;
    return arguments;
  }

  const CallFrame& frame_;
  const CallRules& rules_;
  std::vector<Arguments> arguments_;
  std::vector<std::string> unfollowed_;
  size_t states_ = 0;
};

std::string name_of(const CallRules& rules) {
  std::string name = "calls " + std::to_string(rules.calls_max);
  name += rules.are_demanded ? " demanded" : " allowed";
  name += rules.is_opened ? " opened" : "";
  for (const Tool& tool : rules.tools) {
    for (const std::string* text : {&tool.name, &tool.parameters}) {
      name += " " + std::to_string(text->size()) + " " + *text;
    }
    name += tool.is_strict ? " strict" : "";
  }
  return name;
}

}  // namespace

Result<std::shared_ptr<const Grammar>> call_grammar(Engine& engine, const CallRules& rules) {
  if (rules.tools.empty()) {
    return Error{.kind = ErrorKind::kUsage, .what = "there is no tool to call", .field = "tools"};
  }
  const Result<text::ReplyForm> form = reply_form_of(engine.state());
  if (!form.ok()) return std::shared_ptr<const Grammar>();
  const std::optional<CallFrame> frame = call_frame_of(*form);
  if (!frame) return std::shared_ptr<const Grammar>();
  return make_grammar(engine, name_of(rules), [&] { return CallPlanner(*frame, rules).plan(); });
}

}  // namespace kvasir
