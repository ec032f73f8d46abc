#include "text/jinja/parameters.h"

#include <algorithm>

#include "text/jinja/failure.h"
#include "text/jinja/operators.h"
#include "text/jinja/printing.h"

namespace kvasir::text::jinja {

Parameters::Parameters(std::string_view function, const Arguments& arguments,
                       std::initializer_list<std::string_view> names, size_t required)
    : function_(function), values_(names.size(), nullptr) {
  if (arguments.positional.size() > names.size()) {
    fail_with("takes at most " + std::to_string(names.size()) + " arguments");
  }
  for (size_t i = 0; i < arguments.positional.size(); ++i) values_[i] = &arguments.positional[i];
  for (const auto& [name, value] : arguments.named) {
    const auto* found = std::ranges::find(names, name);
    if (found == names.end()) fail_with("takes no argument " + in_quotes(name));
    const auto index = static_cast<size_t>(found - names.begin());
    if (values_[index] != nullptr) fail_with("gets the argument " + in_quotes(name) + " twice");
    values_[index] = &value;
  }
  for (size_t i = 0; i < required; ++i) {
    if (values_[i] == nullptr) {
      fail_with("needs the argument " + in_quotes(*(names.begin() + static_cast<ptrdiff_t>(i))));
    }
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
  if (value->is_undefined()) fail_to_render(value->undefined_reason());
  if (value->as_text() == nullptr) {
    fail_with("needs a string, not '" + std::string(value->type_name()) + "'");
  }
  return value->as_text();
}

std::optional<std::string> Parameters::bytes(size_t index) const {
  const TracedText* given = text(index);
  return given == nullptr ? std::nullopt : std::optional(given->bytes());
}

void Parameters::fail_with(const std::string& what) const {
  fail_to_render(function_ + "() " + what);
}

}  // namespace kvasir::text::jinja
