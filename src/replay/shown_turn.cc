#include "replay/shown_turn.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"

namespace kvasir::replay {
namespace {

constexpr JsonLimits kArgumentLimits{.text_bytes_max = uint64_t{16} << 20,
                                     .value_count_max = int64_t{1} << 20};
constexpr const char* kBlanks = " \t\r\n";

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

// 1, 1.0 and 1e0 are one number to clients that read numbers as JavaScript does.
std::string number_text(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.17g", value + 0.0);
  return text;
}

void add_canonical(const Json& json, std::string& out);

void add_array(const Json::Array& array, std::string& out) {
  out += '[';
  for (const Json& item : array) {
    add_canonical(item, out);
    out += ',';
  }
  out += ']';
}

void add_object(const Json::Object& object, std::string& out) {
  std::vector<const std::pair<std::string, Json>*> members;
  for (const auto& member : object) members.push_back(&member);
  std::sort(members.begin(), members.end(),
            [](const auto* a, const auto* b) { return a->first < b->first; });
  out += '{';
  for (const auto* member : members) {
    out += Json(member->first).dump() + ':';
    add_canonical(member->second, out);
    out += ',';
  }
  out += '}';
}

void add_canonical(const Json& json, std::string& out) {
  if (const Json::Array* array = json.as_array()) return add_array(*array, out);
  if (const Json::Object* object = json.as_object()) return add_object(*object, out);
  if (const int64_t* integer = json.as_integer()) {
    out += number_text(static_cast<double>(*integer));
  } else if (const double* real = json.as_double()) {
    out += number_text(*real);
  } else {
    out += json.dump();
  }
}

// Arguments that are no JSON, as those of a call that was cut off, are their bytes.
std::string canonical_arguments(const std::string& arguments) {
  const Result<Json> json = Json::parse(arguments, "arguments", kArgumentLimits);
  if (!json.ok()) return arguments;
  std::string text;
  add_canonical(*json, text);
  return text;
}

}  // namespace

Digest256 digest_of_shown(const Message& message) {
  std::string text;
  for (const std::string& part : message.parts) text += part;
  Sha256 hash;
  hash.add_text("kvasir shown").add_text(trimmed(text)).add_value(std::ssize(message.calls));
  for (const ToolCall& call : message.calls) {
    hash.add_text(call.name).add_text(canonical_arguments(call.arguments));
  }
  return hash.finish();
}

}  // namespace kvasir::replay
