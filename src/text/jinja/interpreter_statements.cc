#include <utility>

#include "text/jinja/access.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/loop.h"
#include "text/jinja/operators.h"
#include "text/jinja/printing.h"

namespace kvasir::text::jinja {

// A scope inside the current one, as long as it lives.
class Interpreter::InnerScope {
 public:
  explicit InnerScope(Interpreter& interpreter) : InnerScope(interpreter, interpreter.scope_) {}
  InnerScope(Interpreter& interpreter, std::shared_ptr<Scope> parent)
      : interpreter_(interpreter), outer_(interpreter.scope_) {
    interpreter.scope_ = std::make_shared<Scope>();
    interpreter.scope_->parent = std::move(parent);
  }
  ~InnerScope() { interpreter_.scope_ = std::move(outer_); }
  InnerScope(const InnerScope&) = delete;
  InnerScope& operator=(const InnerScope&) = delete;

 private:
  Interpreter& interpreter_;
  std::shared_ptr<Scope> outer_;
};

Interpreter::Flow Interpreter::run_body(const Body& body) {
  for (const auto& statement : body.statements) {
    if (budget_.failed()) break;
    const Flow flow = run_statement(*statement);
    if (flow != Flow::kNext) return flow;
  }
  return Flow::kNext;
}

Interpreter::Flow Interpreter::run_statement(const Statement& statement) {
  const Budget::Deeper deeper(budget_);
  if (budget_.failed()) return Flow::kNext;
  line_ = statement.line;
  switch (statement.kind) {
    case StatementKind::kText:
      write(statement.text);
      break;
    case StatementKind::kOutput:
      write(to_text(evaluate(*statement.value), budget_));
      break;
    case StatementKind::kIf:
      return run_if(statement);
    case StatementKind::kFor:
      return run_for(statement);
    case StatementKind::kSet:
      assign(*statement.target, evaluate(*statement.value));
      break;
    case StatementKind::kSetBlock:
      run_set_block(statement);
      break;
    case StatementKind::kMacro:
      run_macro(statement);
      break;
    case StatementKind::kCall:
      run_call(statement);
      break;
    case StatementKind::kFilter: {
      TracedText text = captured(statement.branches[0].body);
      write(to_text(filtered(statement, std::move(text)), budget_));
      break;
    }
    case StatementKind::kWith:
      return run_with(statement);
    case StatementKind::kScope:
      return run_scope(statement.branches[0].body);
    case StatementKind::kBreak:
      return Flow::kBreak;
    case StatementKind::kContinue:
      return Flow::kContinue;
  }
  return Flow::kNext;
}

void Interpreter::write(const TracedText& text) {
  if (!budget_.take_text(text.size_bytes())) return;
  if (budget_.check_text(output_.size_bytes() + text.size_bytes())) output_.append(text);
}

TracedText Interpreter::captured(const Body& body) {
  TracedText outer = std::move(output_);
  output_ = {};
  run_scope(body);
  return std::exchange(output_, std::move(outer));
}

Interpreter::Flow Interpreter::run_scope(const Body& body) {
  const InnerScope inner(*this);
  begin_scope(body);
  return run_body(body);
}

void Interpreter::begin_scope(const Body& body) {
  for (const std::string& name : body.unset_names) {
    budget_.take_steps(1);
    scope_->names[name] = Value::undefined(in_quotes(name) + " is undefined");
  }
}

Interpreter::Flow Interpreter::run_if(const Statement& statement) {
  for (const Branch& branch : statement.branches) {
    if (branch.condition == nullptr || is_true(evaluate(*branch.condition))) {
      return run_body(branch.body);
    }
  }
  return Flow::kNext;
}

// ---- loops --------------------------------------------------------------------------------------

bool Interpreter::passes(const Statement& statement, const Value& item) {
  const InnerScope inner(*this);
  assign(*statement.target, item);
  return is_true(evaluate(*statement.condition));
}

std::shared_ptr<Loop> Interpreter::make_loop(const Statement& statement) {
  const Value iterable = evaluate(*statement.value);
  budget_.check_value_depth(iterable.depth() + 1);
  const bool has_filter = statement.condition != nullptr;
  const auto length = has_filter ? std::nullopt : length_of(iterable);
  auto source = [this, &statement, has_filter, items = items_of(iterable, budget_),
                 next = size_t{0}]() mutable -> std::optional<Value> {
    while (next < items.size() && !budget_.failed()) {
      Value item = items[next++];
      if (!has_filter || passes(statement, item)) return item;
    }
    return std::nullopt;
  };
  return std::make_shared<Loop>(std::move(source), length, iterable.depth() + 1);
}

Interpreter::Flow Interpreter::run_for(const Statement& statement) {
  const std::shared_ptr<Loop> loop = make_loop(statement);
  bool has_run = false;
  while (!budget_.failed() && loop->advance()) {
    has_run = true;
    if (run_items(statement, loop) == Flow::kBreak) break;
  }
  if (budget_.failed()) return Flow::kNext;
  if (!has_run && statement.branches.size() > 1) return run_scope(statement.branches[1].body);
  return Flow::kNext;
}

Interpreter::Flow Interpreter::run_items(const Statement& statement,
                                         const std::shared_ptr<Loop>& loop) {
  const InnerScope inner(*this);
  begin_scope(statement.branches[0].body);
  scope_->names["loop"] = loop;
  assign(*statement.target, loop->item());
  return run_body(statement.branches[0].body);
}

// ---- names --------------------------------------------------------------------------------------

void Interpreter::assign(const Expression& target, Value value) {
  if (target.kind == ExpressionKind::kTuple) return assign_all(target, value);
  if (target.kind == ExpressionKind::kName) {
    scope_->names[target.name] = std::move(value);
    return;
  }
  Namespace* space = evaluate_name(target.name).as_namespace();
  if (space == nullptr) {
    budget_.fail_to_render("cannot assign attribute on non-namespace object " +
                           in_quotes(target.name));
    return;
  }
  set_member(*space, target.member, std::move(value), budget_);
}

void Interpreter::assign_all(const Expression& target, const Value& values) {
  if (values.is_undefined()) budget_.fail_to_render(values.undefined_reason());
  std::vector<Value> items = items_of(values, budget_);
  if (budget_.failed()) return;
  if (items.size() != target.parts.size()) {
    budget_.fail_to_render("expected " + std::to_string(target.parts.size()) +
                           " values to unpack, found " + std::to_string(items.size()));
    return;
  }
  for (size_t i = 0; i < items.size(); ++i) assign(*target.parts[i], std::move(items[i]));
}

void Interpreter::run_set_block(const Statement& statement) {
  TracedText text = captured(statement.branches[0].body);
  assign(*statement.target, filtered(statement, std::move(text)));
}

Value Interpreter::filtered(const Statement& statement, TracedText text) {
  if (statement.value == nullptr) return text;
  const Value outer = std::exchange(block_text_, Value(std::move(text)));
  Value result = evaluate(*statement.value);
  block_text_ = outer;
  return result;
}

Interpreter::Flow Interpreter::run_with(const Statement& statement) {
  std::vector<Value> values;
  for (const auto& assignment : statement.assignments) {
    values.push_back(evaluate(*assignment.second));
  }
  const InnerScope inner(*this);
  begin_scope(statement.branches[0].body);
  for (size_t i = 0; i < values.size(); ++i) {
    assign(*statement.assignments[i].first, std::move(values[i]));
  }
  return run_body(statement.branches[0].body);
}

// ---- macros -------------------------------------------------------------------------------------

void Interpreter::run_macro(const Statement& statement) {
  const std::string& name = statement.macro.name;
  scope_->names[name] = make_macro(statement.macro, name);
}

Value Interpreter::make_macro(const MacroSyntax& macro, std::string name) {
  // A macro lies in the scope that it sees, so it must not own it.
  const std::weak_ptr<Scope> seen = scope_;
  auto callable = std::make_shared<Callable>();
  callable->repr = name.empty() ? "<Macro anonymous>" : "<Macro " + in_quotes(name) + ">";
  callable->name = std::move(name);
  callable->call = [&macro, seen](Interpreter& self, const Arguments& arguments) -> Value {
    const std::shared_ptr<Scope> scope = seen.lock();
    if (scope == nullptr) {
      return self.budget_.fail_unsupported(
          "a macro is called after the block that holds it has ended");
    }
    return self.call_macro(macro, scope, arguments);
  };
  return Value(std::shared_ptr<const Callable>(std::move(callable)));
}

Value Interpreter::call_macro(const MacroSyntax& macro, const std::shared_ptr<Scope>& scope,
                              const Arguments& arguments) {
  TracedText outer = std::move(output_);
  output_ = {};
  const InnerScope inner(*this, scope);
  begin_scope(macro.body);
  bind_parameters(macro, arguments);
  bind_special_names(macro, arguments);
  run_body(macro.body);
  return std::exchange(output_, std::move(outer));
}

namespace {

const Value* named_argument(const Arguments& arguments, std::string_view name) {
  for (const auto& [one, value] : arguments.named) {
    if (one == name) return &value;
  }
  return nullptr;
}

bool has_parameter(const MacroSyntax& macro, std::string_view name) {
  for (const Parameter& parameter : macro.parameters) {
    if (parameter.name == name) return true;
  }
  return false;
}

}  // namespace

void Interpreter::bind_parameters(const MacroSyntax& macro, const Arguments& arguments) {
  // All that are given come first: a default may ask for any of them.
  std::vector<const Parameter*> missing;
  for (size_t i = 0; i < macro.parameters.size(); ++i) {
    const Parameter& parameter = macro.parameters[i];
    const Value* named = named_argument(arguments, parameter.name);
    const bool is_positional = i < arguments.positional.size();
    if (is_positional && named != nullptr) {
      budget_.fail_to_render("macro " + in_quotes(macro.name) + " takes no keyword argument " +
                             in_quotes(parameter.name));
      return;
    }
    const Value* given = is_positional ? &arguments.positional[i] : named;
    if (given == nullptr) missing.push_back(&parameter);
    scope_->names[parameter.name] =
        given != nullptr
            ? *given
            : Value::undefined("parameter " + in_quotes(parameter.name) + " was not provided");
  }
  for (const Parameter* parameter : missing) {
    if (parameter->fallback != nullptr) {
      scope_->names[parameter->name] = evaluate(*parameter->fallback);
    }
  }
}

void Interpreter::bind_special_names(const MacroSyntax& macro, const Arguments& arguments) {
  const size_t parameter_count = macro.parameters.size();
  std::vector<Value> more;
  for (size_t i = parameter_count; i < arguments.positional.size(); ++i) {
    more.push_back(arguments.positional[i]);
  }
  if (!more.empty() && !macro.uses_varargs) {
    budget_.fail_to_render("macro " + in_quotes(macro.name) + " takes not more than " +
                           std::to_string(parameter_count) + " argument(s)");
    return;
  }
  if (macro.uses_varargs) {
    scope_->names["varargs"] = make_list(ListKind::kTuple, std::move(more), budget_);
  }
  const bool takes_caller = macro.uses_caller && !has_parameter(macro, "caller");
  DictBuilder others(budget_);
  if (takes_caller) scope_->names["caller"] = Value::undefined("No caller defined");
  for (const auto& [name, value] : arguments.named) {
    if (has_parameter(macro, name)) continue;
    if (takes_caller && name == "caller") {
      scope_->names["caller"] = value;
    } else if (macro.uses_kwargs) {
      others.set(Value::text(name), value);
    } else {
      budget_.fail_to_render("macro " + in_quotes(macro.name) + " takes no keyword argument " +
                             in_quotes(name));
      return;
    }
  }
  if (macro.uses_kwargs) scope_->names["kwargs"] = std::move(others).finish();
}

void Interpreter::run_call(const Statement& statement) {
  const Expression& expression = *statement.value;
  const Value callee = evaluate(*expression.parts[0]);
  Arguments arguments = evaluate_arguments(expression.arguments);
  const Value caller = make_macro(statement.macro, "caller");
  arguments.named.emplace_back("caller", caller);
  write(to_text(call(callee, arguments), budget_));
}

}  // namespace kvasir::text::jinja
