#include "checkpoint/config_source.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/foreign_content.h"
#include "checkpoint/gguf_file.h"
#include "checkpoint/mapped_file.h"
#include "checkpoint/shard_index.h"

namespace kvasir {
namespace {

constexpr uint64_t kConfigBytesMax = uint64_t{16} << 20;

// A text in which each of these words outside strings stands in quotes.
class Quoted {
 public:
  explicit Quoted(std::string_view text) {
    text_.reserve(text.size());
    bool is_quoted = false;
    for (size_t at = 0; at < text.size(); ++at) {
      if (text[at] == '"') is_quoted = !is_quoted;
      if (is_quoted && text[at] == '\\' && at + 1 < text.size()) text_ += text[at++];
      const size_t length = is_quoted ? 0 : word_length(text.substr(at));
      if (length == 0) {
        text_ += text[at];
        continue;
      }
      places_.push_back(at);
      text_.append("\"").append(text, at, length).append("\"");
      at += length - 1;
    }
  }

  const std::string& text() const { return text_; }

  // Where in the text that was given: two quotes come with each word.
  uint64_t original_offset(uint64_t offset) const {
    uint64_t shift = 0;
    for (const uint64_t place : places_) {
      if (place + shift < offset) shift += 2;
    }
    return offset - std::min(offset, shift);
  }

 private:
  static size_t word_length(std::string_view rest) {
    for (const std::string_view word : {"-Infinity", "Infinity", "NaN"}) {
      if (rest.starts_with(word)) return word.size();
    }
    return 0;
  }

  std::string text_;
  std::vector<uint64_t> places_;
};

}  // namespace

Result<ConfigSource> ConfigSource::open(const std::string& path) {
  KVASIR_ASSIGN_OR_RETURN(const CheckpointPlace place, find_checkpoint(path));
  if (place.form == CheckpointForm::kGguf) {
    KVASIR_ASSIGN_OR_RETURN(GgufFile file, read_gguf_file(place.path));
    return ConfigSource(place.form, file.parts.front().head.take_keys(), file.path());
  }
  const std::string config_path = path_in(path, kConfigName);
  KVASIR_ASSIGN_OR_RETURN(const auto file, MappedFile::open(config_path));
  return parse(file->text(), config_path);
}

Json ConfigSource::section(std::string_view beginning) const {
  Json::Object members;
  for (const auto& [name, value] : *root_.as_object()) {
    if (name.starts_with(beginning)) members.emplace_back(name.substr(beginning.size()), value);
  }
  return Json(std::move(members));
}

Result<ConfigSource> ConfigSource::parse(std::string_view text, std::string_view where) {
  KVASIR_RETURN_IF_ERROR(check_content(text, where, FileForm::kJson));
  const Quoted quoted(text.substr(0, kConfigBytesMax + 1));
  auto json = Json::parse(quoted.text(), where, JsonLimits{.text_bytes_max = kConfigBytesMax});
  if (!json.ok()) {
    Error error = std::move(json).error();
    if (error.offset) error.offset = quoted.original_offset(*error.offset);
    return error;
  }
  if (json->as_object() != nullptr)
    return ConfigSource(CheckpointForm::kSafetensors, std::move(json).value(), std::string(where));
  return Error{.kind = ErrorKind::kDamaged,
               .what = "config is malformed",
               .where = std::string(where),
               .expected = "a JSON object"};
}

}  // namespace kvasir
