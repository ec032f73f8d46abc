#include "checkpoint/config_fields.h"

#include <fmt/format.h>

#include <limits>
#include <utility>

namespace kvasir {
namespace {

std::optional<double> real_of(const Json& value) {
  if (value.as_double() != nullptr) return *value.as_double();
  if (value.as_integer() != nullptr) return static_cast<double>(*value.as_integer());
  const bool is_infinity = value.as_string() != nullptr && *value.as_string() == "Infinity";
  return is_infinity ? std::optional(std::numeric_limits<double>::infinity()) : std::nullopt;
}

}  // namespace

ConfigFields::ConfigFields(const Json& object, std::string_view path, std::string_view prefix)
    : object_(object), path_(path), prefix_(prefix) {}

const Json* ConfigFields::find(Names names) const {
  for (const std::string_view name : names) {
    const Json* value = object_.find(name);
    if (value != nullptr && !value->is_null()) return value;
  }
  return nullptr;
}

int64_t ConfigFields::integer(Names names, int64_t min, int64_t max) {
  if (!has(names)) fail_missing(names, fmt::format("an integer from {} to {}", min, max));
  return integer_or(names, min, max, min);
}

int64_t ConfigFields::integer_or(Names names, int64_t min, int64_t max, int64_t absent) {
  const Json* value = find(names);
  if (value == nullptr) return absent;
  const int64_t* number = value->as_integer();
  if (number != nullptr && *number >= min && *number <= max) return *number;
  fail(spelling_of(names), "config field is unusable",
       fmt::format("an integer from {} to {}", min, max), value);
  return min;
}

double ConfigFields::real(Names names, double min, double max) {
  if (!has(names)) fail_missing(names, fmt::format("a number from {} to {}", min, max));
  return real_or(names, min, max, min);
}

double ConfigFields::real_or(Names names, double min, double max, double absent) {
  const Json* value = find(names);
  if (value == nullptr) return absent;
  const std::optional<double> number = real_of(*value);
  if (number && *number >= min && *number <= max) return *number;
  fail(spelling_of(names), "config field is unusable",
       fmt::format("a number from {} to {}", min, max), value);
  return min;
}

bool ConfigFields::boolean_or(Names names, bool absent) {
  const Json* value = find(names);
  if (value == nullptr) return absent;
  if (value->as_bool() != nullptr) return *value->as_bool();
  fail(spelling_of(names), "config field is unusable", "true or false", value);
  return absent;
}

std::string ConfigFields::text(Names names) {
  if (!has(names)) fail_missing(names, "a string");
  return text_or(names, "");
}

std::string ConfigFields::text_or(Names names, std::string absent) {
  const Json* value = find(names);
  if (value == nullptr) return absent;
  if (value->as_string() != nullptr) return *value->as_string();
  fail(spelling_of(names), "config field is unusable", "a string", value);
  return absent;
}

// read(item) gives an optional value; null: it is none that the list may hold.
template <class T, class Read>
std::vector<T> ConfigFields::list(Names names, std::string expected, const Read& read) {
  const Json* value = find(names);
  if (value == nullptr) return {};
  std::vector<T> items;
  bool is_usable = value->as_array() != nullptr;
  for (size_t i = 0; is_usable && i < value->as_array()->size(); ++i) {
    const std::optional<T> item = read((*value->as_array())[i]);
    is_usable = item.has_value();
    if (item) items.push_back(*item);
  }
  if (is_usable) return items;
  fail(spelling_of(names), "config field is unusable", std::move(expected), value);
  return {};
}

std::vector<int64_t> ConfigFields::integers(Names names, int64_t min, int64_t max) {
  return list<int64_t>(names, fmt::format("a list of integers from {} to {}", min, max),
                       [&](const Json& item) -> std::optional<int64_t> {
                         const int64_t* number = item.as_integer();
                         const bool fits = number != nullptr && *number >= min && *number <= max;
                         return fits ? std::optional(*number) : std::nullopt;
                       });
}

std::vector<double> ConfigFields::reals(Names names, double min, double max) {
  return list<double>(names, fmt::format("a list of numbers from {} to {}", min, max),
                      [&](const Json& item) -> std::optional<double> {
                        const std::optional<double> number = real_of(item);
                        return number && *number >= min && *number <= max ? number : std::nullopt;
                      });
}

std::vector<bool> ConfigFields::booleans(Names names) {
  return list<bool>(names, "a list of true and false", [](const Json& item) {
    return item.as_bool() == nullptr ? std::nullopt : std::optional(*item.as_bool());
  });
}

std::vector<std::string> ConfigFields::texts(Names names) {
  return list<std::string>(names, "a list of strings", [](const Json& item) {
    return item.as_string() == nullptr ? std::nullopt : std::optional(*item.as_string());
  });
}

std::vector<int64_t> ConfigFields::layer_integers(Names names, int64_t count, int64_t min,
                                                  int64_t max) {
  const auto layers = static_cast<size_t>(count);
  const Json* value = find(names);
  if (value == nullptr || value->as_array() == nullptr) {
    return std::vector<int64_t>(layers, integer(names, min, max));
  }
  std::vector<int64_t> items = integers(names, min, max);
  if (!error_ && items.size() < layers) {
    fail(spelling_of(names), "config field is unusable",
         fmt::format("a list of {} layers or more", count), value);
  }
  items.resize(layers, min);
  return items;
}

void ConfigFields::expect_text(Names names, std::string_view only) {
  const Json* value = find(names);
  if (value == nullptr || (value->as_string() != nullptr && *value->as_string() == only)) return;
  fail(spelling_of(names), "config asks for what is not supported", std::string(only), value);
}

void ConfigFields::expect_integer(Names names, int64_t only) {
  const Json* value = find(names);
  if (value == nullptr || (value->as_integer() != nullptr && *value->as_integer() == only)) return;
  fail(spelling_of(names), "config asks for what is not supported", std::to_string(only), value);
}

void ConfigFields::expect_false(Names names) {
  const Json* value = find(names);
  if (value == nullptr || (value->as_bool() != nullptr && !*value->as_bool())) return;
  fail(spelling_of(names), "config asks for what is not supported", "false", value);
}

void ConfigFields::fail(std::string_view field, std::string_view what, std::string expected,
                        const Json* found) {
  fail(Error{.kind = ErrorKind::kDamaged,
             .what = std::string(what),
             .where = fmt::format("{}: {}{}", path_, prefix_, field),
             .expected = std::move(expected),
             .found = found == nullptr ? "nothing" : found->dump()});
}

void ConfigFields::fail(const Error& error) {
  if (!error_) error_ = error;
}
void ConfigFields::refuse(std::string_view field, std::string_view what, std::string expected) {
  const Json* found = find({field});
  fail(Error{.kind = ErrorKind::kUnsupported,
             .what = std::string(what),
             .where = fmt::format("{}: {}{}", path_, prefix_, field),
             .expected = std::move(expected),
             .found = found == nullptr ? "nothing" : found->dump()});
}

void ConfigFields::fail_missing(Names names, std::string expected) {
  std::string field;
  for (const std::string_view name : names) {
    if (!field.empty()) field += " or ";
    field += name;
  }
  fail(field, "config field is missing", std::move(expected), nullptr);
}

std::string ConfigFields::spelling_of(Names names) const {
  for (const std::string_view name : names) {
    const Json* value = object_.find(name);
    if (value != nullptr && !value->is_null()) return std::string(name);
  }
  return std::string(*names.begin());
}

}  // namespace kvasir
