#include "text/jinja/interpreter.h"

#include <utility>

#include "text/jinja/access.h"
#include "text/jinja/filters.h"
#include "text/jinja/globals.h"
#include "text/jinja/loop.h"
#include "text/jinja/operators.h"
#include "text/jinja/printing.h"

namespace kvasir::text::jinja {

Interpreter::Interpreter(const TemplateLimits& limits, const Dict& variables, const std::tm& now)
    : budget_(limits), variables_(variables), now_(now), scope_(std::make_shared<Scope>()) {}

TracedText Interpreter::run(const Body& body) {
  begin_scope(body);
  run_body(body);
  return std::move(output_);
}

Value Interpreter::make_callable(std::string name,
                                 std::function<Value(Interpreter&, const Arguments&)> function,
                                 int depth) {
  if (!budget_.check_value_depth(depth + 1)) return {};
  auto callable = std::make_shared<Callable>();
  callable->repr = "<function " + name + ">";
  callable->name = std::move(name);
  callable->call = std::move(function);
  callable->depth = depth + 1;
  return Value(std::shared_ptr<const Callable>(std::move(callable)));
}

Namespace* Interpreter::make_namespace() {
  budget_.take_steps(1);
  namespaces_.push_back(std::make_unique<Namespace>());
  return namespaces_.back().get();
}

Value Interpreter::call(const Value& callee, const Arguments& arguments) {
  const Budget::Deeper deeper(budget_);
  if (budget_.failed()) return {};
  if (callee.is_undefined()) return budget_.fail_to_render(callee.undefined_reason());
  const Callable* callable = callee.as_callable();
  if (callable == nullptr) {
    return budget_.fail_to_render("'" + std::string(callee.type_name()) +
                                  "' object is not callable");
  }
  return callable->call(*this, arguments);
}

// ---- expressions --------------------------------------------------------------------------------

Value Interpreter::evaluate(const Expression& expression) {
  const Budget::Deeper deeper(budget_);
  if (budget_.failed()) return {};
  line_ = expression.line;
  const auto part = [&](size_t i) { return evaluate(*expression.parts[i]); };
  switch (expression.kind) {
    case ExpressionKind::kConstant:
      return expression.constant;
    case ExpressionKind::kName:
      return evaluate_name(expression.name);
    case ExpressionKind::kList:
      return make_list(ListKind::kList, evaluate_all(expression.parts), budget_);
    case ExpressionKind::kTuple:
      return make_list(ListKind::kTuple, evaluate_all(expression.parts), budget_);
    case ExpressionKind::kDict:
      return evaluate_dict(expression);
    case ExpressionKind::kAttribute:
      return attribute_of(*this, part(0), expression.member);
    case ExpressionKind::kItem:
      return evaluate_item(expression);
    case ExpressionKind::kCall:
      return evaluate_call(expression);
    case ExpressionKind::kFilter:
      return evaluate_filter(expression);
    case ExpressionKind::kTest:
      return apply_test(*this, expression.member, part(0),
                        evaluate_arguments(expression.arguments));
    case ExpressionKind::kNot:
      return !is_true(part(0));
    case ExpressionKind::kNegative:
      return negated(part(0), budget_);
    case ExpressionKind::kPositive:
      return evaluate_positive(expression);
    case ExpressionKind::kAnd:
    case ExpressionKind::kOr: {
      Value left = part(0);
      return is_true(left) == (expression.kind == ExpressionKind::kOr) ? left : part(1);
    }
    case ExpressionKind::kCondition:
      return evaluate_condition(expression);
    case ExpressionKind::kComparison:
      return evaluate_comparison(expression);
    case ExpressionKind::kConcatenation:
      return evaluate_concatenation(expression);
    case ExpressionKind::kArithmetic: {
      const Value left = part(0);
      return calculate(expression.arithmetic, left, part(1), budget_);
    }
    case ExpressionKind::kNamespaceMember:
    case ExpressionKind::kSlice:
      break;
  }
  return budget_.fail_unsupported("unsupported: a slice beside other keys");
}

Value Interpreter::evaluate_name(const std::string& name) {
  for (const Scope* scope = scope_.get(); scope != nullptr; scope = scope->parent.get()) {
    budget_.take_steps(1);
    const auto found = scope->names.find(name);
    if (found != scope->names.end()) return found->second;
  }
  if (const Value* variable = variables_.find(name)) return *variable;
  return global_named(*this, name);
}

std::vector<Value> Interpreter::evaluate_all(const std::vector<ExpressionPtr>& expressions) {
  std::vector<Value> values;
  values.reserve(expressions.size());
  for (const ExpressionPtr& one : expressions) values.push_back(evaluate(*one));
  return values;
}

Value Interpreter::evaluate_dict(const Expression& expression) {
  DictBuilder builder(budget_);
  for (size_t i = 0; i + 1 < expression.parts.size(); i += 2) {
    Value key = evaluate(*expression.parts[i]);
    builder.set(std::move(key), evaluate(*expression.parts[i + 1]));
  }
  return std::move(builder).finish();
}

Value Interpreter::evaluate_item(const Expression& expression) {
  const Value object = evaluate(*expression.parts[0]);
  const Expression& key = *expression.parts[1];
  if (key.kind == ExpressionKind::kSlice) return evaluate_slice(object, key);
  return item_of(*this, object, evaluate(key));
}

Value Interpreter::evaluate_slice(const Value& object, const Expression& slice) {
  const auto bound = [&](size_t i) -> std::optional<int64_t> {
    if (slice.parts[i] == nullptr) return std::nullopt;
    const Value value = evaluate(*slice.parts[i]);
    if (value.is_none()) return std::nullopt;
    const auto integer = integer_of(value);
    if (!integer) budget_.fail_to_render("a bound of a slice is no integer");
    return integer;
  };
  const auto start = bound(0);
  const auto stop = bound(1);
  return slice_of(object, {start, stop, bound(2)}, budget_);
}

Arguments Interpreter::evaluate_arguments(const CallArguments& arguments) {
  Arguments result;
  result.positional = evaluate_all(arguments.positional);
  for (const auto& [name, value] : arguments.named) {
    result.named.emplace_back(name, evaluate(*value));
  }
  if (arguments.spread != nullptr) {
    for (Value& value : items_of(evaluate(*arguments.spread), budget_)) {
      result.positional.push_back(std::move(value));
    }
  }
  if (arguments.spread_named != nullptr) {
    const Value more = evaluate(*arguments.spread_named);
    if (more.as_dict() == nullptr) return budget_.fail_to_render("what follows ** is no dict");
    for (const auto& [key, value] : more.as_dict()->members) {
      if (key.as_text() == nullptr) return budget_.fail_to_render("keywords must be strings");
      result.named.emplace_back(key.as_text()->bytes(), value);
    }
  }
  return result;
}

Value Interpreter::evaluate_call(const Expression& expression) {
  const Value callee = evaluate(*expression.parts[0]);
  const Arguments arguments = evaluate_arguments(expression.arguments);
  if (budget_.failed()) return {};
  line_ = expression.line;
  return call(callee, arguments);
}

Value Interpreter::evaluate_filter(const Expression& expression) {
  const Value input = expression.parts[0] == nullptr ? block_text_ : evaluate(*expression.parts[0]);
  const Arguments arguments = evaluate_arguments(expression.arguments);
  if (budget_.failed()) return {};
  line_ = expression.line;
  return apply_filter(*this, expression.member, input, arguments);
}

Value Interpreter::evaluate_condition(const Expression& expression) {
  if (is_true(evaluate(*expression.parts[0]))) return evaluate(*expression.parts[1]);
  if (expression.parts.size() > 2) return evaluate(*expression.parts[2]);
  return Value::undefined("the inline if-expression was false, and it has no else");
}

Value Interpreter::evaluate_comparison(const Expression& expression) {
  Value left = evaluate(*expression.parts[0]);
  for (size_t i = 0; i < expression.steps.size(); ++i) {
    Value right = evaluate(*expression.parts[i + 1]);
    const ComparisonStep& step = expression.steps[i];
    const bool holds = step.is_membership ? contains(right, left, budget_) != step.is_negated
                                          : compare(step.comparison, left, right, budget_);
    if (!holds) return false;
    left = std::move(right);
  }
  return true;
}

Value Interpreter::evaluate_concatenation(const Expression& expression) {
  TracedText result;
  for (const Value& value : evaluate_all(expression.parts)) {
    const TracedText text = to_text(value, budget_);
    if (!budget_.take_text(result.size_bytes() + text.size_bytes())) return {};
    result.append(text);
  }
  return result;
}

Value Interpreter::evaluate_positive(const Expression& expression) {
  Value value = evaluate(*expression.parts[0]);
  if (value.as_double() != nullptr) return value;
  if (const auto integer = integer_of(value)) return *integer;
  if (value.is_undefined()) return budget_.fail_to_render(value.undefined_reason());
  return budget_.fail_to_render("bad operand type for unary +: '" + std::string(value.type_name()) +
                                "'");
}

}  // namespace kvasir::text::jinja
