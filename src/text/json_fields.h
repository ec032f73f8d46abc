// JsonFields reads members of one object of a tokenizer file, and refuses what it cannot do by
// name. It refers to the Json, which must outlive it. One thread at a time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/json.h"
#include "kvasir/result.h"

namespace kvasir::text {

class JsonFields {
 public:
  // `path` is what stands before a member's name in messages.
  JsonFields(const Json& object, std::string path) : object_(&object), path_(std::move(path)) {}

  std::string where(std::string_view name) const { return path_ + std::string(name); }
  // Null when absent or null in the file.
  const Json* find(std::string_view name) const {
    const Json* value = object_->find(name);
    return value == nullptr || value->is_null() ? nullptr : value;
  }
  JsonFields inside(std::string_view name) const {
    static const Json kNothing;
    const Json* value = find(name);
    return JsonFields(value == nullptr ? kNothing : *value, where(name) + ".");
  }
  // REQUIRES: `items` is the array of that name.
  JsonFields item(std::string_view name, const Json::Array& items, size_t i) const {
    return JsonFields(items[i], where(name) + "[" + std::to_string(i) + "].");
  }
  // Null when absent; otherwise the elements.
  const Json::Array* array(std::string_view name) const {
    const Json* value = find(name);
    return value == nullptr ? nullptr : value->as_array();
  }

  std::string text(std::string_view name) const {
    const Json* value = find(name);
    const std::string* text = value == nullptr ? nullptr : value->as_string();
    return text == nullptr ? "" : *text;
  }
  bool is_true(std::string_view name) const { return flag(name, false); }
  bool flag(std::string_view name, bool absent) const {
    const Json* value = find(name);
    return value == nullptr || value->as_bool() == nullptr ? absent : *value->as_bool();
  }

  Error refuse(std::string_view name, std::string expected) const {
    const Json* value = find(name);
    return Error{.kind = ErrorKind::kUnsupported,
                 .what = "the tokenizer asks for what is not supported",
                 .where = where(name),
                 .expected = std::move(expected),
                 .found = value == nullptr ? "nothing" : value->dump()};
  }
  Status expect_text(std::string_view name, std::string_view expected) const {
    if (text(name) == expected) return ok_status();
    return refuse(name, "\"" + std::string(expected) + "\"");
  }
  // Absent counts as false.
  Status expect_false(std::string_view name) const {
    const Json* value = find(name);
    if (value == nullptr || (value->as_bool() != nullptr && !*value->as_bool())) return ok_status();
    return refuse(name, "false");
  }
  // Absent, null and "" are all the same.
  Status expect_empty(std::string_view name) const {
    const Json* value = find(name);
    if (value == nullptr || (value->as_string() != nullptr && value->as_string()->empty())) {
      return ok_status();
    }
    return refuse(name, "nothing");
  }

 private:
  const Json* object_;
  std::string path_;
};

}  // namespace kvasir::text
