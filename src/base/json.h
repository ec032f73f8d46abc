// A Json is an immutable JSON value. This is the one place that knows the JSON library.
//
// Parsing is strict and bounded. Limits are checked before memory is taken. A name that occurs
// twice in one object is an error: in the header of a checkpoint the second would silently win.
// Objects keep their order.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "kvasir/result.h"

namespace kvasir {

struct JsonLimits {
  uint64_t text_bytes_max = uint64_t{256} << 20;
  // "0," is two bytes of text and 40 of memory, so the size of the text alone bounds nothing.
  int64_t value_count_max = int64_t{8} << 20;
  int depth_max = 64;
};

class Json {
 public:
  using Array = std::vector<Json>;
  using Object = std::vector<std::pair<std::string, Json>>;

  Json() = default;  // null
  // These stand in one place, since every use of theirs would make the compiler write them anew.
  Json(const Json& other);
  Json(Json&& other) noexcept;
  Json& operator=(const Json& other);
  Json& operator=(Json&& other) noexcept;
  ~Json();
  Json(bool value) : value_(value) {}
  Json(int value) : value_(int64_t{value}) {}
  Json(int64_t value) : value_(value) {}
  Json(double value) : value_(value) {}
  Json(const char* value) : value_(std::string(value)) {}
  Json(std::string value) : value_(std::move(value)) {}
  Json(Array value) : value_(std::move(value)) {}
  Json(Object value) : value_(std::move(value)) {}

  // `where` names the text in messages. Integers beyond int64 become doubles.
  static Result<Json> parse(std::string_view text, std::string_view where,
                            const JsonLimits& limits = {});

  bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  // Each returns null when the value is of another kind.
  const bool* as_bool() const { return std::get_if<bool>(&value_); }
  const int64_t* as_integer() const { return std::get_if<int64_t>(&value_); }
  const double* as_double() const { return std::get_if<double>(&value_); }
  const std::string* as_string() const { return std::get_if<std::string>(&value_); }
  const Array* as_array() const { return std::get_if<Array>(&value_); }
  const Object* as_object() const { return std::get_if<Object>(&value_); }

  // The member of that name, or null when there is none or this is no object. Linear in the member
  // count.
  const Json* find(std::string_view name) const;

  // Compact text. Bytes that are no UTF-8 are replaced by U+FFFD.
  std::string dump() const;

 private:
  std::variant<std::monostate, bool, int64_t, double, std::string, Array, Object> value_;
};

}  // namespace kvasir
