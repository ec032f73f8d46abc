#include "server/field_reader.h"

#include <cmath>
#include <utility>

#include <fmt/format.h>

namespace kvasir::server {
namespace {

// Beyond it a double no longer tells whole numbers apart.
constexpr double kWholeMax = 9007199254740992;  // 2^53

std::optional<int64_t> whole_number(const Json& value) {
  if (const int64_t* integer = value.as_integer()) return *integer;
  const double* number = value.as_double();
  if (number == nullptr || std::trunc(*number) != *number || std::abs(*number) > kWholeMax) {
    return std::nullopt;
  }
  return static_cast<int64_t>(*number);
}

}  // namespace

const char* kind_of(const Json& value) {
  if (value.is_null()) return "null";
  if (value.as_bool() != nullptr) return "a boolean";
  if (value.as_integer() != nullptr || value.as_double() != nullptr) return "a number";
  if (value.as_string() != nullptr) return "a string";
  return value.as_array() != nullptr ? "an array" : "an object";
}

FieldReader::FieldReader(const Json& object, std::string path, std::optional<Error>& error)
    : object_(&object), path_(std::move(path)), error_(&error) {
  if (object.as_object() != nullptr || failed()) return;
  *error_ = Error{.kind = ErrorKind::kUsage,
                  .what = "wrong type",
                  .field = path_.empty() ? "body" : path_,
                  .expected = "an object",
                  .found = kind_of(object)};
}

const Json* FieldReader::find(std::string_view name) const {
  const Json* value = object_->find(name);
  return value == nullptr || value->is_null() ? nullptr : value;
}

std::optional<bool> FieldReader::boolean(std::string_view name) const {
  const Json* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (const bool* found = value->as_bool()) return *found;
  refuse_type(name, "a boolean", *value);
  return std::nullopt;
}

std::optional<int64_t> FieldReader::integer(std::string_view name, int64_t min, int64_t max) const {
  const Json* value = find(name);
  if (value == nullptr) return std::nullopt;
  const std::optional<int64_t> found = whole_number(*value);
  if (!found) {
    refuse_type(name, "a whole number", *value);
  } else if (*found < min || *found > max) {
    refuse(name, "out of range", fmt::format("{} to {}", min, max));
  } else {
    return found;
  }
  return std::nullopt;
}

std::optional<double> FieldReader::number(std::string_view name, double min, double max) const {
  const Json* value = find(name);
  return value == nullptr ? std::nullopt : number_of(name, *value, min, max);
}

std::optional<double> FieldReader::number_of(std::string_view name, const Json& value, double min,
                                             double max) const {
  std::optional<double> found;
  if (const int64_t* integer = value.as_integer()) found = static_cast<double>(*integer);
  if (const double* number = value.as_double()) found = *number;
  if (!found) {
    refuse_type(name, "a number", value);
  } else if (!(*found >= min && *found <= max)) {
    refuse(name, "out of range", fmt::format("{} to {}", min, max));
    found.reset();
  }
  return found;
}

std::optional<std::string> FieldReader::string(std::string_view name) const {
  const Json* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (const std::string* found = value->as_string()) return *found;
  refuse_type(name, "a string", *value);
  return std::nullopt;
}

const Json::Array* FieldReader::array(std::string_view name, size_t count_max) const {
  const Json* value = find(name);
  if (value == nullptr) return nullptr;
  const Json::Array* found = value->as_array();
  if (found == nullptr) {
    refuse_type(name, "an array", *value);
  } else if (found->size() > count_max) {
    refuse(name, "too many elements", fmt::format("at most {}", count_max));
    found = nullptr;
  }
  return found;
}

std::optional<FieldReader> FieldReader::object(std::string_view name) const {
  const Json* value = find(name);
  if (value == nullptr) return std::nullopt;
  FieldReader reader(*value, path_of(name), *error_);
  if (failed()) return std::nullopt;
  return reader;
}

FieldReader FieldReader::element(std::string_view name, const Json& element, size_t index) const {
  return {element, fmt::format("{}[{}]", path_of(name), index), *error_};
}

std::string FieldReader::path_of(std::string_view name) const {
  return path_.empty() ? std::string(name) : fmt::format("{}.{}", path_, name);
}

void FieldReader::refuse(std::string_view name, std::string what, std::string expected) const {
  if (failed()) return;
  *error_ = Error{.kind = ErrorKind::kUsage,
                  .what = std::move(what),
                  .field = path_of(name),
                  .expected = std::move(expected)};
}

void FieldReader::refuse_type(std::string_view name, const char* expected,
                              const Json& found) const {
  if (failed()) return;
  refuse(name, "wrong type", expected);
  (*error_)->found = kind_of(found);
}

}  // namespace kvasir::server
