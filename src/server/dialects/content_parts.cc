#include "server/dialects/content_parts.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <string>
#include <utility>

#include "server/dialects/cache_marks.h"
#include "server/dialects/openai_fields.h"

namespace kvasir::server {
namespace {

constexpr size_t kPartsMax = 10'000;

struct TextPart {
  std::string_view type;
  std::string_view field;  // that holds the text
};
constexpr TextPart kTextParts[] = {
    {"text", "text"}, {"input_text", "text"}, {"output_text", "text"}, {"refusal", "refusal"}};

// What the model cannot see, and what it is told instead.
struct OtherPart {
  std::string_view type;
  std::string_view told;
  std::string_view ignored;
};
constexpr OtherPart kOtherParts[] = {
    {"image_url", "[Unsupported Image]", "images"},
    {"input_image", "[Unsupported Image]", "images"},
    {"image", "[Unsupported Image]", "images"},
    {"input_audio", "[Unsupported Audio]", "audio"},
    {"audio_url", "[Unsupported Audio]", "audio"},
    {"audio", "[Unsupported Audio]", "audio"},
    {"video_url", "[Unsupported Video]", "video"},
    {"video", "[Unsupported Video]", "video"},
    {"file", "[Unsupported File]", "files"},
    {"input_file", "[Unsupported File]", "files"},
};

// Some dialects read into a message that stands among the others already.
void read_marks(const FieldReader& part, const Message& message, Call& call) {
  const bool stands = !call.messages.empty() && &message == &call.messages.back();
  const int64_t count = std::ssize(call.messages) + (stands ? 0 : 1);
  for (const char* name : {"cache_control", "prompt_cache_breakpoint"}) {
    read_cache_mark(part, name, count, call);
  }
}

void read_part(const FieldReader& part, Message& message, Call& call) {
  read_marks(part, message, call);
  const std::string type = part.string("type").value_or("text");
  const auto* text = std::ranges::find(kTextParts, type, &TextPart::type);
  if (text != std::end(kTextParts)) {
    std::optional<std::string> value = part.string(text->field);
    if (!value) return part.refuse(text->field, "missing", "a string");
    message.parts.push_back(std::move(*value));
    return;
  }
  const auto* other = std::ranges::find(kOtherParts, type, &OtherPart::type);
  if (other == std::end(kOtherParts)) {
    return part.refuse("type", "unknown kind of part", "text, refusal, image_url and the like");
  }
  message.parts.emplace_back(other->told);
  ignore(call, other->ignored);
}

}  // namespace

Role read_role(const FieldReader& reader, std::span<const NamedRole> known) {
  const auto name = reader.string("role");
  const auto found = std::ranges::find(known, name.value_or(""), &NamedRole::name);
  if (found != known.end()) return found->role;
  std::string names;
  for (const NamedRole& role : known) names.append(names.empty() ? "" : ", ").append(role.name);
  reader.refuse("role", name ? "unknown role" : "missing", std::move(names));
  return Role::kUser;
}

void read_content(const FieldReader& reader, std::string_view name, Message& message, Call& call) {
  const Json* content = reader.find(name);
  if (content == nullptr) return;
  if (const std::string* text = content->as_string()) {
    message.parts.push_back(*text);
    return;
  }
  if (content->as_array() == nullptr) {
    return reader.refuse(name, "wrong type", "a string, an array of parts or null");
  }
  const Json::Array* parts = reader.array(name, kPartsMax);
  if (parts == nullptr) return;
  for (size_t i = 0; i < parts->size() && !reader.failed(); ++i) {
    const Json& part = (*parts)[i];
    if (const std::string* text = part.as_string()) {
      message.parts.push_back(*text);
    } else {
      read_part(reader.element(name, part, i), message, call);
    }
  }
}

}  // namespace kvasir::server
