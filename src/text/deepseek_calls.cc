#include "text/deepseek_calls.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace kvasir::text {
namespace {

constexpr int kDepthMax = 127;

// As the makers' encoder writes them: 1.0, 0.00001, 1e-6, 1e+16.
std::string real_text(double value) {
  const double size = std::abs(value);
  const bool is_plain = size == 0 || (size >= 1e-5 && size < 1e16);
  std::array<char, 40> buffer{};
  const auto written =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                    is_plain ? std::chars_format::fixed : std::chars_format::scientific);
  std::string text(buffer.data(), written.ptr);
  if (is_plain) return text.find('.') == text.npos ? text + ".0" : text;
  const size_t exponent = text.find('e') + 2;
  if (text[exponent] == '0') text.erase(exponent, 1);
  return text;
}

// JSON with blanks behind its separators. Parsing bounded the depth.
std::string spaced(const Json& json);

std::string spaced_array(const Json::Array& array) {
  std::string text = "[";
  for (const Json& item : array) text += (text.size() > 1 ? ", " : "") + spaced(item);
  return text + "]";
}

std::string spaced_object(const Json::Object& object) {
  std::string text = "{";
  for (const auto& [name, member] : object) {
    text += (text.size() > 1 ? ", " : "") + Json(name).dump() + ": " + spaced(member);
  }
  return text + "}";
}

std::string spaced(const Json& json) {
  if (const Json::Array* array = json.as_array()) return spaced_array(*array);
  if (const Json::Object* object = json.as_object()) return spaced_object(*object);
  if (const double* real = json.as_double()) return real_text(*real);
  return json.dump();
}

class CallWriter {
 public:
  CallWriter(std::optional<int32_t> marker, MarkedText& out) : marker_(marker), out_(&out) {}

  // <｜DSML｜rest or </｜DSML｜rest
  void add_tag(std::string_view opening, std::string_view rest) {
    out_->add_text(opening);
    if (marker_) {
      out_->add_marker(*marker_);
    } else {
      out_->add_text("｜DSML｜");
    }
    out_->add_text(rest);
  }

  void add_parameter(std::string_view name, std::string_view value, bool is_text) {
    add_tag("<", "parameter name=\"" + std::string(name) + "\" string=\"" +
                     (is_text ? "true" : "false") + "\">");
    out_->add_text(value);
    add_tag("</", "parameter>\n");
  }

  void add_call(const ToolCall& call) {
    add_tag("<", "invoke name=\"" + call.name + "\">\n");
    const auto arguments = Json::parse(call.arguments, "arguments", {.depth_max = kDepthMax});
    if (arguments.ok() && arguments->as_object() != nullptr) {
      for (const auto& [name, value] : *arguments->as_object()) {
        const std::string* text = value.as_string();
        add_parameter(name, text != nullptr ? *text : spaced(value), text != nullptr);
      }
    } else {
      add_parameter("arguments", call.arguments, true);
    }
    add_tag("</", "invoke>\n");
  }

 private:
  std::optional<int32_t> marker_;
  MarkedText* out_;
};

// The makers' encoder sorts calls as it sorts their results.
std::vector<ToolCall> by_id(std::span<const ToolCall> calls) {
  std::vector<ToolCall> sorted(calls.begin(), calls.end());
  std::ranges::stable_sort(sorted, {}, &ToolCall::id);
  return sorted;
}

}  // namespace

void add_tool_calls(std::span<const ToolCall> calls, std::optional<int32_t> marker,
                    MarkedText& out) {
  CallWriter writer(marker, out);
  out.add_text("\n\n");
  writer.add_tag("<", "tool_calls>\n");
  for (const ToolCall& call : by_id(calls)) writer.add_call(call);
  writer.add_tag("</", "tool_calls>");
}

}  // namespace kvasir::text
