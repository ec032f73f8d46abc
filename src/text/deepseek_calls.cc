#include "text/deepseek_calls.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "text/spaced_json.h"

namespace kvasir::text {
namespace {

constexpr int kDepthMax = 127;

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
        add_parameter(name, text != nullptr ? *text : spaced_json(value), text != nullptr);
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

void open_tool_calls(std::optional<int32_t> marker, MarkedText& out) {
  out.add_text("\n\n");
  CallWriter(marker, out).add_tag("<", "tool_calls>\n");
}

void add_tool_calls(std::span<const ToolCall> calls, std::optional<int32_t> marker,
                    MarkedText& out) {
  open_tool_calls(marker, out);
  CallWriter writer(marker, out);
  for (const ToolCall& call : by_id(calls)) writer.add_call(call);
  writer.add_tag("</", "tool_calls>");
}

}  // namespace kvasir::text
