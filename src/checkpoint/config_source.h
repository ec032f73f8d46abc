// A ConfigSource is a model's config as one JSON object: its config.json, or the keys of its GGUF
// file under their own names. It is read once, with bounds, whoever asks for what is in it. An
// immutable value.
//
// Python writes numbers that JSON does not have: Infinity, -Infinity and NaN become texts of that
// name. They are no sizes, and are told as they stand where a number is read.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "checkpoint/checkpoint_place.h"
#include "kvasir/result.h"

namespace kvasir {

inline constexpr std::string_view kConfigName = "config.json";

class ConfigSource {
 public:
  // Reads the config of the checkpoint that find_checkpoint finds at `path`. Error: no such file,
  // or as parse() and read_gguf_file().
  static Result<ConfigSource> open(const std::string& path);
  // `where` names the text in messages. Error: longer than 16 MiB, another kind of file in its
  // place, malformed JSON, no object.
  static Result<ConfigSource> parse(std::string_view text, std::string_view where);

  const Json& root() const { return root_; }
  // The members whose names begin so, without that beginning. The keys of a GGUF file that say what
  // its model is begin with the architecture's name and a dot.
  Json section(std::string_view beginning) const;
  const std::string& where() const { return where_; }
  // Which words the object is in.
  CheckpointForm form() const { return form_; }

 private:
  ConfigSource(CheckpointForm form, Json root, std::string where)
      : form_(form), root_(std::move(root)), where_(std::move(where)) {}

  CheckpointForm form_;
  Json root_;
  std::string where_;
};

}  // namespace kvasir
