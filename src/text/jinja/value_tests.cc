#include <algorithm>
#include <string>

#include "text/jinja/filters.h"
#include "text/jinja/operators.h"
#include "text/jinja/parameters.h"
#include "text/jinja/printing.h"
#include "text/jinja/text_methods.h"

namespace kvasir::text::jinja {
namespace {

using Test = bool (*)(Interpreter& interpreter, const Value&, const Arguments&);

template <bool (*holds)(const Value&)>
bool plain(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  const Parameters none(interpreter.budget(), "test", arguments, {});
  return holds(value);
}

bool is_defined(const Value& value) { return !value.is_undefined(); }
bool is_undefined(const Value& value) { return value.is_undefined(); }
bool is_none(const Value& value) { return value.is_none(); }
bool is_boolean(const Value& value) { return value.as_bool() != nullptr; }
bool is_exactly_true(const Value& value) { return value.as_bool() != nullptr && *value.as_bool(); }
bool is_exactly_false(const Value& value) {
  return value.as_bool() != nullptr && !*value.as_bool();
}
bool is_integer(const Value& value) { return value.as_integer() != nullptr; }
bool is_float(const Value& value) { return value.as_double() != nullptr; }
bool is_number(const Value& value) { return number_of(value).has_value(); }
bool is_string(const Value& value) { return value.as_text() != nullptr; }
bool is_mapping(const Value& value) { return value.as_dict() != nullptr; }
bool is_iterable(const Value& value) {
  return value.is_undefined() || value.as_text() != nullptr || value.as_list() != nullptr ||
         value.as_dict() != nullptr || value.as_loop() != nullptr;
}
bool is_sequence(const Value& value) {
  if (const List* list = value.as_list()) {
    return list->kind == ListKind::kList || list->kind == ListKind::kTuple ||
           list->kind == ListKind::kRange;
  }
  return value.is_undefined() || value.as_text() != nullptr || value.as_dict() != nullptr;
}
bool is_callable(const Value& value) {
  // Python's Undefined has a __call__ too, which fails.
  return value.is_undefined() || value.as_callable() != nullptr;
}
bool is_escaped(const Value& value) {
  return value.as_text() != nullptr && value.as_text()->is_html();
}

template <bool is_odd>
bool has_parity(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  const Parameters none(interpreter.budget(), "test", arguments, {});
  Budget& budget = interpreter.budget();
  const Value remainder = calculate(Arithmetic::kModulo, value, int64_t{2}, budget);
  return are_equal(remainder, int64_t{is_odd ? 1 : 0}, budget);
}

bool is_divisible(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  const Parameters parameters(interpreter.budget(), "divisibleby", arguments, {"num"}, 1);
  Budget& budget = interpreter.budget();
  return are_equal(calculate(Arithmetic::kModulo, value, *parameters.find(0), budget), int64_t{0},
                   budget);
}

template <Comparison comparison>
bool compares(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  const Parameters parameters(interpreter.budget(), "test", arguments, {"other"}, 1);
  return compare(comparison, value, *parameters.find(0), interpreter.budget());
}

bool is_in(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  const Parameters parameters(interpreter.budget(), "in", arguments, {"seq"}, 1);
  return contains(*parameters.find(0), value, interpreter.budget());
}

bool is_same(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  const Parameters parameters(interpreter.budget(), "sameas", arguments, {"other"}, 1);
  return value.is_same_object(*parameters.find(0));
}

template <bool (*has_case)(const TracedText&)>
bool has_case_test(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  const Parameters none(interpreter.budget(), "test", arguments, {});
  return has_case(to_text(value, interpreter.budget()));
}

template <bool (*exists)(std::string_view)>
bool names(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  const Parameters none(interpreter.budget(), "test", arguments, {});
  return value.as_text() != nullptr && exists(value.as_text()->bytes());
}

struct Entry {
  std::string_view name;
  Test test;
};
constexpr Entry kTests[] = {
    {"!=", compares<Comparison::kNotEqual>},
    {"<", compares<Comparison::kLess>},
    {"<=", compares<Comparison::kLessEqual>},
    {"==", compares<Comparison::kEqual>},
    {">", compares<Comparison::kGreater>},
    {">=", compares<Comparison::kGreaterEqual>},
    {"boolean", plain<is_boolean>},
    {"callable", plain<is_callable>},
    {"defined", plain<is_defined>},
    {"divisibleby", is_divisible},
    {"eq", compares<Comparison::kEqual>},
    {"equalto", compares<Comparison::kEqual>},
    {"escaped", plain<is_escaped>},
    {"even", has_parity<false>},
    {"false", plain<is_exactly_false>},
    {"filter", names<is_filter>},
    {"float", plain<is_float>},
    {"ge", compares<Comparison::kGreaterEqual>},
    {"greaterthan", compares<Comparison::kGreater>},
    {"gt", compares<Comparison::kGreater>},
    {"in", is_in},
    {"integer", plain<is_integer>},
    {"iterable", plain<is_iterable>},
    {"le", compares<Comparison::kLessEqual>},
    {"lessthan", compares<Comparison::kLess>},
    {"lower", has_case_test<is_lower>},
    {"lt", compares<Comparison::kLess>},
    {"mapping", plain<is_mapping>},
    {"ne", compares<Comparison::kNotEqual>},
    {"none", plain<is_none>},
    {"number", plain<is_number>},
    {"odd", has_parity<true>},
    {"sameas", is_same},
    {"sequence", plain<is_sequence>},
    {"string", plain<is_string>},
    {"test", names<is_test>},
    {"true", plain<is_exactly_true>},
    {"undefined", plain<is_undefined>},
    {"upper", has_case_test<is_upper>},
};

const Entry* find_test(std::string_view name) {
  const auto* found = std::ranges::find(kTests, name, &Entry::name);
  return found == std::end(kTests) ? nullptr : found;
}

}  // namespace

bool is_test(std::string_view name) { return find_test(name) != nullptr; }

bool apply_test(Interpreter& interpreter, std::string_view name, const Value& value,
                const Arguments& arguments) {
  if (interpreter.budget().failed()) return false;
  const Entry* found = find_test(name);
  if (found == nullptr)
    return interpreter.budget().fail_to_render("there is no test named " + in_quotes(name));
  return found->test(interpreter, value, arguments);
}

}  // namespace kvasir::text::jinja
