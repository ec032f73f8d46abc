// A ConfigSource is a model's config as one JSON object. It is read once, with bounds, whoever asks
// for what is in it. An immutable value.
//
// Python writes numbers that JSON does not have: Infinity, -Infinity and NaN become texts of that
// name. They are no sizes, and are told as they stand where a number is read.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "kvasir/result.h"

namespace kvasir {

inline constexpr std::string_view kConfigName = "config.json";

class ConfigSource {
 public:
  // Reads config.json in a checkpoint directory. Error: no such file, or as parse().
  static Result<ConfigSource> open(const std::string& directory);
  // `where` names the text in messages. Error: longer than 16 MiB, another kind of file in its
  // place, malformed JSON, no object.
  static Result<ConfigSource> parse(std::string_view text, std::string_view where);

  const Json& root() const { return root_; }
  const std::string& where() const { return where_; }

 private:
  ConfigSource(Json root, std::string where) : root_(std::move(root)), where_(std::move(where)) {}

  Json root_;
  std::string where_;
};

}  // namespace kvasir
