#include "text/jinja/globals.h"

#include <algorithm>
#include <array>
#include <string>

#include "text/jinja/access.h"
#include "text/jinja/operators.h"
#include "text/jinja/parameters.h"
#include "text/jinja/printing.h"

namespace kvasir::text::jinja {
namespace {

// The sandbox's.
constexpr int64_t kRangeItemsMax = 100000;

Value range(Interpreter& interpreter, const Arguments& arguments) {
  const Parameters parameters(interpreter.budget(), "range", arguments, {"start", "stop", "step"},
                              1);
  const auto bound = [&](size_t i) -> int64_t {
    const auto integer = integer_of(*parameters.find(i));
    if (!integer) interpreter.budget().fail_to_render("range() needs integers");
    return integer.value_or(0);
  };
  const bool has_start = parameters.find(1) != nullptr;
  const int64_t start = has_start ? bound(0) : 0;
  const int64_t stop = has_start ? bound(1) : bound(0);
  const int64_t step = parameters.find(2) == nullptr ? 1 : bound(2);
  if (interpreter.budget().failed()) return {};
  if (step == 0) return interpreter.budget().fail_to_render("range() arg 3 must not be zero");
  List list(ListKind::kRange, {});
  list.range_start = start;
  list.range_stop = stop;
  list.range_step = step;
  for (int64_t at = start; step > 0 ? at < stop : at > stop;) {
    if (!interpreter.budget().take_items(1)) return {};
    if (list.items.size() == kRangeItemsMax) {
      return interpreter.budget().fail_to_render("range() has more than " +
                                                 std::to_string(kRangeItemsMax) + " items");
    }
    list.items.emplace_back(at);
    if (__builtin_add_overflow(at, step, &at)) break;
  }
  return std::make_shared<const List>(std::move(list));
}

// dict(other, name=value), as pairs in order.
std::vector<Dict::Member> members_of(Interpreter& interpreter, const Arguments& arguments) {
  std::vector<Dict::Member> members;
  Budget& budget = interpreter.budget();
  if (arguments.positional.size() > 1)
    interpreter.budget().fail_to_render("dict() takes at most 1 positional argument");
  for (const Value& value : arguments.positional) {
    if (const Dict* dict = value.as_dict()) {
      if (!budget.take_items(dict->members.size())) return {};
      members = dict->members;
      continue;
    }
    for (const Value& pair : items_of(value, budget)) {
      const std::vector<Value> both = items_of(pair, budget);
      if (both.size() != 2) return interpreter.budget().fail_to_render("dict() needs pairs");
      members.emplace_back(both[0], both[1]);
    }
  }
  for (const auto& [name, value] : arguments.named) members.emplace_back(Value::text(name), value);
  return members;
}

Value dict(Interpreter& interpreter, const Arguments& arguments) {
  DictBuilder builder(interpreter.budget());
  for (auto& [key, value] : members_of(interpreter, arguments)) {
    builder.set(std::move(key), std::move(value));
  }
  return std::move(builder).finish();
}

Value make_namespace(Interpreter& interpreter, const Arguments& arguments) {
  Namespace* space = interpreter.make_namespace();
  for (auto& [key, value] : members_of(interpreter, arguments)) {
    if (key.as_text() == nullptr)
      return interpreter.budget().fail_to_render("the names in a namespace are strings");
    set_member(*space, key.as_text()->bytes(), std::move(value), interpreter.budget());
  }
  return space;
}

Value raise_exception(Interpreter& interpreter, const Arguments& arguments) {
  const Parameters parameters(interpreter.budget(), "raise_exception", arguments, {"message"}, 1);
  return interpreter.budget().fail_to_render(
      to_text(*parameters.find(0), interpreter.budget()).bytes());
}

Value strftime_now(Interpreter& interpreter, const Arguments& arguments) {
  const Parameters parameters(interpreter.budget(), "strftime_now", arguments, {"format"}, 1);
  if (parameters.text(0) == nullptr)
    return interpreter.budget().fail_to_render("strftime_now() needs a string");
  // A blank in front tells an empty result from one that is too long.
  const std::string format = " " + parameters.text(0)->bytes();
  std::array<char, 1024> buffer{};
  const size_t size =
      std::strftime(buffer.data(), buffer.size(), format.c_str(), &interpreter.now());
  if (size == 0)
    return interpreter.budget().fail_unsupported("strftime_now() writes more than 1000 bytes");
  return Value::text(std::string_view(buffer.data(), size).substr(1));
}

struct Entry {
  std::string_view name;
  Value (*function)(Interpreter&, const Arguments&);
};
constexpr Entry kGlobals[] = {
    {"dict", dict},   {"namespace", make_namespace},  {"raise_exception", raise_exception},
    {"range", range}, {"strftime_now", strftime_now},
};

}  // namespace

Value global_named(Interpreter& interpreter, std::string_view name) {
  const auto* found = std::ranges::find(kGlobals, name, &Entry::name);
  if (found != std::end(kGlobals)) {
    return interpreter.make_callable(std::string(name), found->function, 0);
  }
  for (std::string_view other : {"cycler", "joiner", "lipsum"}) {
    if (name == other)
      return interpreter.budget().fail_unsupported("unsupported: " + std::string(name) + "()");
  }
  return Value::undefined(in_quotes(name) + " is undefined");
}

}  // namespace kvasir::text::jinja
