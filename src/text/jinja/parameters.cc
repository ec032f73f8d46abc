#include "text/jinja/parameters.h"

#include <algorithm>

#include "text/jinja/operators.h"
#include "text/jinja/printing.h"

namespace kvasir::text::jinja {
namespace {

const Value& no_value() {
  static const Value none;
  return none;
}

}  // namespace

Parameters::Parameters(Budget& budget, std::string_view function, const Arguments& arguments,
                       std::initializer_list<std::string_view> names, size_t required)
    : budget_(budget), function_(function), values_(names.size(), nullptr) {
  if (arguments.positional.size() > names.size()) {
    fail_with("takes at most " + std::to_string(names.size()) + " arguments");
  }
  const size_t count = std::min(arguments.positional.size(), names.size());
  for (size_t i = 0; i < count; ++i) values_[i] = &arguments.positional[i];
  for (const auto& [name, value] : arguments.named) {
    const auto* found = std::ranges::find(names, name);
    const auto index = static_cast<size_t>(found - names.begin());
    if (found == names.end()) {
      fail_with("takes no argument " + in_quotes(name));
    } else if (values_[index] != nullptr) {
      fail_with("gets the argument " + in_quotes(name) + " twice");
    } else {
      values_[index] = &value;
    }
  }
  for (size_t i = 0; i < required; ++i) {
    if (values_[i] != nullptr) continue;
    values_[i] = &no_value();
    fail_with("needs the argument " + in_quotes(*(names.begin() + static_cast<ptrdiff_t>(i))));
  }
}

const Value* Parameters::find_some(size_t index) const {
  const Value* value = values_[index];
  return value == nullptr || value->is_none() ? nullptr : value;
}

bool Parameters::truth(size_t index, bool fallback) const {
  return values_[index] == nullptr ? fallback : is_true(*values_[index]);
}

int64_t Parameters::integer(size_t index, int64_t fallback) const {
  return values_[index] == nullptr ? fallback : integer(index).value_or(fallback);
}

std::optional<int64_t> Parameters::integer(size_t index) const {
  const Value* value = find_some(index);
  if (value == nullptr) return std::nullopt;
  const auto result = integer_of(*value);
  if (!result) fail_with("needs an integer, not '" + std::string(value->type_name()) + "'");
  return result;
}

const TracedText* Parameters::text(size_t index) const {
  const Value* value = find_some(index);
  if (value == nullptr) return nullptr;
  if (value->is_undefined()) {
    budget_.fail_to_render(value->undefined_reason());
  } else if (value->as_text() == nullptr) {
    fail_with("needs a string, not '" + std::string(value->type_name()) + "'");
  }
  return value->as_text();
}

const TracedText& Parameters::required_text(size_t index) const {
  static const TracedText empty;
  const TracedText* given = text(index);
  if (given == nullptr) fail_with("needs a string");
  return given == nullptr ? empty : *given;
}

std::optional<std::string> Parameters::bytes(size_t index) const {
  const TracedText* given = text(index);
  return given == nullptr ? std::nullopt : std::optional(given->bytes());
}

Failed Parameters::fail_with(const std::string& what) const {
  return budget_.fail_to_render(function_ + "() " + what);
}

}  // namespace kvasir::text::jinja
