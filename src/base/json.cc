#include "base/json.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/byte_order_mark.h"

namespace kvasir {
namespace {

// Builds Json values from parse events. A false return stops the parser; error() then says why.
class Builder {
 public:
  using number_integer_t = nlohmann::json::number_integer_t;
  using number_unsigned_t = nlohmann::json::number_unsigned_t;
  using number_float_t = nlohmann::json::number_float_t;
  using string_t = nlohmann::json::string_t;
  using binary_t = nlohmann::json::binary_t;

  Builder(std::string_view where, const JsonLimits& limits) : where_(where), limits_(limits) {}

  bool null() { return add(Json()); }
  bool boolean(bool value) { return add(Json(value)); }
  bool number_integer(number_integer_t value) { return add(Json(int64_t{value})); }
  bool number_unsigned(number_unsigned_t value) {
    if (value > static_cast<number_unsigned_t>(std::numeric_limits<int64_t>::max())) {
      return add(Json(static_cast<double>(value)));
    }
    return add(Json(static_cast<int64_t>(value)));
  }
  bool number_float(number_float_t value, const string_t&) { return add(Json(double{value})); }
  bool string(string_t& value) { return add(Json(std::move(value))); }
  bool binary(binary_t&) { return false; }

  bool start_object(size_t) { return open(true); }
  bool start_array(size_t) { return open(false); }
  bool key(string_t& name) {
    frames_.back().names.push_back(std::move(name));
    return true;
  }
  bool end_object() {
    Frame frame = std::move(frames_.back());
    frames_.pop_back();
    if (!names_are_unique(frame.names)) return false;
    Json::Object object;
    object.reserve(frame.values.size());
    for (size_t i = 0; i < frame.values.size(); ++i) {
      object.emplace_back(std::move(frame.names[i]), std::move(frame.values[i]));
    }
    return add(Json(std::move(object)));
  }
  bool end_array() {
    Frame frame = std::move(frames_.back());
    frames_.pop_back();
    return add(Json(std::move(frame.values)));
  }
  bool parse_error(size_t position, const std::string&, const nlohmann::json::exception&) {
    // The library counts the bytes it has read, the offending one included.
    error_ = Error{.kind = ErrorKind::kDamaged,
                   .what = "malformed JSON",
                   .where = where_,
                   .offset = position - (position > 0 ? 1 : 0)};
    return false;
  }

  Result<Json> finish() && {
    if (error_) return std::move(*error_);
    return std::move(root_);
  }

 private:
  struct Frame {
    bool is_object;
    std::vector<std::string> names;
    std::vector<Json> values;
  };

  bool open(bool is_object) {
    if (static_cast<int>(frames_.size()) >= limits_.depth_max) {
      error_ = Error{.kind = ErrorKind::kDamaged,
                     .what = "JSON is nested too deep",
                     .where = where_,
                     .expected = "at most " + std::to_string(limits_.depth_max) + " levels"};
      return false;
    }
    frames_.push_back(Frame{is_object, {}, {}});
    return true;
  }

  bool add(Json value) {
    if (++value_count_ > limits_.value_count_max) {
      error_ = Error{.kind = ErrorKind::kDamaged,
                     .what = "JSON has too many values",
                     .where = where_,
                     .expected = "at most " + std::to_string(limits_.value_count_max)};
      return false;
    }
    if (frames_.empty()) {
      root_ = std::move(value);
    } else {
      frames_.back().values.push_back(std::move(value));
    }
    return true;
  }

  bool names_are_unique(const std::vector<std::string>& names) {
    std::vector<std::string_view> sorted(names.begin(), names.end());
    std::sort(sorted.begin(), sorted.end());
    const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
    if (twice == sorted.end()) return true;
    error_ = Error{.kind = ErrorKind::kDamaged,
                   .what = "a name occurs twice in one JSON object",
                   .where = where_,
                   .found = std::string(*twice)};
    return false;
  }

  std::string where_;
  const JsonLimits limits_;
  int64_t value_count_ = 0;
  std::vector<Frame> frames_;
  Json root_;
  std::optional<Error> error_;
};

nlohmann::ordered_json to_library(const Json& value) {
  if (const bool* boolean = value.as_bool()) return *boolean;
  if (const int64_t* integer = value.as_integer()) return *integer;
  if (const double* real = value.as_double()) return *real;
  if (const std::string* text = value.as_string()) return *text;
  if (const Json::Array* array = value.as_array()) {
    auto out = nlohmann::ordered_json::array();
    for (const Json& item : *array) out.push_back(to_library(item));
    return out;
  }
  if (const Json::Object* object = value.as_object()) {
    nlohmann::ordered_json::object_t out;
    for (const auto& [name, member] : *object) out.emplace_back(name, to_library(member));
    return out;
  }
  return nullptr;
}

}  // namespace

Json::Json(const Json& other) = default;
Json::Json(Json&& other) noexcept = default;
Json& Json::operator=(const Json& other) = default;
Json& Json::operator=(Json&& other) noexcept = default;
Json::~Json() = default;

Result<Json> Json::parse(std::string_view text, std::string_view where, const JsonLimits& limits) {
  if (text.size() > limits.text_bytes_max) {
    return Error{.kind = ErrorKind::kDamaged,
                 .what = "JSON text is too large",
                 .where = std::string(where),
                 .expected = "at most " + std::to_string(limits.text_bytes_max) + " bytes",
                 .found = std::to_string(text.size())};
  }
  // The library skips a mark of UTF-8 itself, and counts it in offsets.
  KVASIR_RETURN_IF_ERROR(without_byte_order_mark(text, where));
  Builder builder(where, limits);
  nlohmann::json::sax_parse(text.begin(), text.end(), &builder);
  return std::move(builder).finish();
}

const Json* Json::find(std::string_view name) const {
  const Object* object = as_object();
  if (object == nullptr) return nullptr;
  for (const auto& [member_name, member] : *object) {
    if (member_name == name) return &member;
  }
  return nullptr;
}

std::string Json::dump() const {
  return to_library(*this).dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace kvasir
