#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "engine/engine_state.h"
#include "engine/make_grammar.h"
#include "engine/reply_form.h"
#include "grammar/builder.h"
#include "grammar/calls.h"
#include "grammar/marker.h"
#include "kvasir/grammar.h"
#include "text/call_frames.h"
#include "text/tokenizer.h"

namespace kvasir {
namespace {

using grammar::Automaton;
using grammar::Builder;
using grammar::CallArguments;
using grammar::CalledTool;
using grammar::CallFrame;
using grammar::NodeId;

std::string with_markers(std::string text, const text::ReplyForm& form) {
  for (size_t i = 0; i < form.call_markers.size(); ++i) {
    const std::string_view spelled = form.tokenizer->token_bytes(form.call_markers[i]);
    for (size_t at = 0; (at = text.find(spelled, at)) != text.npos; ++at) {
      text.replace(at, spelled.size(), 1, grammar::marker(i));
    }
  }
  return text;
}

// Markers that the vocabulary has become bytes.
std::optional<CallFrame> marked_frame_of(const text::ReplyForm& form) {
  const std::optional<text::CallFrame> spelled = text::call_frame_of(form);
  if (!spelled) return std::nullopt;
  const auto marked = [&](const std::string& text) { return with_markers(text, form); };
  CallFrame frame{.before_name = marked(spelled->before_name),
                  .behind_name = marked(spelled->behind_name),
                  .behind_arguments = marked(spelled->behind_arguments),
                  .between = marked(spelled->between),
                  .closing = marked(spelled->closing),
                  .sign = marked(spelled->sign),
                  .begins_with_brace = spelled->begins_with_brace};
  for (const std::string& opening : spelled->openings) frame.openings.push_back(marked(opening));
  if (const auto& elements = spelled->elements) {
    frame.elements = grammar::ElementTexts{.open = marked(elements->open),
                                           .text = marked(elements->text),
                                           .json = marked(elements->json),
                                           .close = marked(elements->close),
                                           .none = marked(elements->none)};
  }
  return frame;
}

// What a tool may be given: what its schema allows, nothing without one, or anything.
struct Arguments {
  std::optional<Json> schema;
  bool is_free = false;
};

Result<Arguments> arguments_of(const Tool& tool) {
  if (tool.parameters.empty()) return Arguments();
  KVASIR_ASSIGN_OR_RETURN(Json schema, parsed_schema(tool.parameters));
  return Arguments{.schema = std::move(schema)};
}

Result<NodeId> add(CallArguments& all, const Arguments& arguments) {
  if (arguments.is_free) return all.any();
  return all.of(arguments.schema ? &*arguments.schema : nullptr);
}

// How many states they take, with the parts that all share. Error: they cannot be followed.
Result<size_t> states_of(const CallFrame& frame, const Arguments& arguments) {
  Builder builder;
  CallArguments all(builder, frame);
  KVASIR_ASSIGN_OR_RETURN(const NodeId node, add(all, arguments));
  // These are made when first they are asked for.
  all.any();
  KVASIR_ASSIGN_OR_RETURN(const Automaton automaton, builder.build_of(node));
  return automaton.states.size();
}

class CallPlanner {
 public:
  CallPlanner(const CallFrame& frame, const CallRules& rules)
      : frame_(frame), rules_(rules), arguments_(rules.tools.size()) {}

  Result<GrammarPlan> plan() {
    for (size_t i = 0; i < arguments_.size(); ++i) {
      Result<Arguments> read = arguments_of(rules_.tools[i]);
      if (read.ok()) {
        arguments_[i] = *std::move(read);
      } else {
        KVASIR_RETURN_IF_ERROR(leave_free(i, std::move(read).error()));
      }
    }
    Result<GrammarPlan> made = assemble();
    if (made.ok() || !made.error().field.empty()) return made;
    // Each by itself, which takes longer, says which of them is at fault.
    KVASIR_RETURN_IF_ERROR(measure());
    return assemble();
  }

 private:
  // Half of what a grammar may take is left to names and what stands around them.
  static constexpr size_t kStatesMax = Builder::kStatesMax / 2;
  static constexpr int kTooLargeMax = 32;

  // Why the tool's schema cannot be followed. Error: it has to be.
  Status leave_free(size_t index, Error why) {
    why.field = rules_.tools[index].field;
    if (rules_.tools[index].is_strict) return why;
    arguments_[index] = {.is_free = true};
    return ok_status();
  }

  // An error without a field is that of all together.
  Result<GrammarPlan> assemble() {
    Builder builder;
    CallArguments all(builder, frame_);
    std::vector<CalledTool> tools;
    for (size_t i = 0; i < arguments_.size(); ++i) {
      Result<NodeId> node = add(all, arguments_[i]);
      if (builder.is_too_large()) break;
      if (!node.ok()) {
        KVASIR_RETURN_IF_ERROR(leave_free(i, std::move(node).error()));
        node = all.any();
      }
      tools.push_back({rules_.tools[i].name, *node});
    }
    const grammar::CallCounts counts{.max = rules_.calls_max,
                                     .are_demanded = rules_.are_demanded,
                                     .is_opened = rules_.is_opened};
    KVASIR_ASSIGN_OR_RETURN(Automaton automaton,
                            builder.build_of(grammar::call_texts(builder, frame_, tools, counts)));
    GrammarPlan plan{.automaton = std::move(automaton)};
    for (size_t i = 0; i < arguments_.size(); ++i) {
      if (arguments_[i].is_free) plan.unfollowed.push_back(rules_.tools[i].name);
    }
    return plan;
  }

  // Leaves free what is too large, by itself or with those before it, and what no text fits. What
  // strict ones leave of the room is the others'.
  Status measure() {
    KVASIR_ASSIGN_OR_RETURN(const size_t shared, states_of(frame_, {.is_free = true}));
    size_t sum = 0;
    int too_large_count = 0;
    for (const bool is_strict : {true, false}) {
      for (size_t i = 0; i < arguments_.size(); ++i) {
        if (rules_.tools[i].is_strict != is_strict) continue;
        Result<size_t> states = too_large_count < kTooLargeMax ? states_of(frame_, arguments_[i])
                                                               : Result<size_t>(2 * kStatesMax);
        const size_t own = states.ok() ? *states - std::min(*states, shared) : 0;
        if (sum + own > kStatesMax) {
          states = Error{.kind = ErrorKind::kUsage,
                         .what = "the schemas of the tools are too large together"};
        }
        if (states.ok()) {
          sum += own;
          continue;
        }
        ++too_large_count;
        KVASIR_RETURN_IF_ERROR(leave_free(i, std::move(states).error()));
      }
    }
    return ok_status();
  }

  const CallFrame& frame_;
  const CallRules& rules_;
  std::vector<Arguments> arguments_;
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
  const std::optional<CallFrame> frame = marked_frame_of(*form);
  if (!frame) return std::shared_ptr<const Grammar>();
  return make_grammar(engine, name_of(rules), [&] { return CallPlanner(*frame, rules).plan(); });
}

}  // namespace kvasir
