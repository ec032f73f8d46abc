// A FieldReader reads one JSON object of a request: every field by its type, in its range. Null
// counts as left out, and unknown fields are nobody's error.
//
//   std::optional<Error> error;
//   FieldReader body(json, "", error);
//   options.top_p = body.number("top_p", 0, 1).value_or(1);
//   if (error) return *error;
//
// The first thing that is wrong is kept in `error`, as kUsage with the path of the field; what is
// read after it is of no use. It refers to the JSON and the error. One thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "kvasir/result.h"

namespace kvasir::server {

class FieldReader {
 public:
  // `path` of the object itself, for messages: "messages[2]"; empty for a whole body. What is no
  // object is an error.
  FieldReader(const Json& object, std::string path, std::optional<Error>& error);

  // Null: left out, or null.
  const Json* find(std::string_view name) const;
  bool has(std::string_view name) const { return find(name) != nullptr; }

  std::optional<bool> boolean(std::string_view name) const;
  // 3.0 counts as 3.
  std::optional<int64_t> integer(std::string_view name, int64_t min, int64_t max) const;
  std::optional<double> number(std::string_view name, double min, double max) const;
  // For a member in hand; looking up each of many by name would take the square of their number.
  std::optional<double> number_of(std::string_view name, const Json& value, double min,
                                  double max) const;
  std::optional<std::string> string(std::string_view name) const;
  // Null: left out, or an error.
  const Json::Array* array(std::string_view name, size_t count_max) const;
  std::optional<FieldReader> object(std::string_view name) const;
  // Of element `index` of an array that this object has under `name`.
  FieldReader element(std::string_view name, const Json& element, size_t index) const;

  // "messages[2].content"
  std::string path_of(std::string_view name) const;
  const std::string& path() const { return path_; }
  // Keeps an error of that field, unless there is one already.
  void refuse(std::string_view name, std::string what, std::string expected = {}) const;
  bool failed() const { return error_->has_value(); }

 private:
  void refuse_type(std::string_view name, const char* expected, const Json& found) const;

  const Json* object_;
  std::string path_;
  std::optional<Error>* error_;
};

// "a string", "an array": for messages.
const char* kind_of(const Json& value);

}  // namespace kvasir::server
