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
  CallWriter(const DeepSeekVariant& variant, std::optional<int32_t> marker, MarkedText& out)
      : tags_(variant.tags), reals_(variant.reals), marker_(marker), out_(&out) {}

  // <｜DSML｜name rest or </｜DSML｜name rest
  void add_tag(std::string_view opening, std::string_view name, std::string_view rest) {
    out_->add_text(opening);
    if (marker_) {
      out_->add_marker(*marker_);
    } else {
      out_->add_text("｜DSML｜");
    }
    out_->add_text(name);
    out_->add_text(rest);
  }

  void add_parameter(std::string_view name, std::string_view value, bool is_text) {
    add_tag("<", tags_.parameter,
            " name=\"" + std::string(name) + "\" string=\"" + (is_text ? "true" : "false") + "\">");
    out_->add_text(value);
    add_tag("</", tags_.parameter, ">\n");
  }

  void add_call(const ToolCall& call) {
    add_tag("<", tags_.invoke, " name=\"" + call.name + "\">\n");
    const auto arguments = Json::parse(call.arguments, "arguments", {.depth_max = kDepthMax});
    if (arguments.ok() && arguments->as_object() != nullptr) {
      if (arguments->as_object()->empty()) out_->add_text(tags_.no_parameters);
      for (const auto& [name, value] : *arguments->as_object()) {
        const std::string* text = value.as_string();
        add_parameter(name, text != nullptr ? *text : spaced_json(value, reals_), text != nullptr);
      }
    } else {
      add_parameter("arguments", call.arguments, true);
    }
    add_tag("</", tags_.invoke, ">\n");
  }

 private:
  DeepSeekTags tags_;
  RealStyle reals_;
  std::optional<int32_t> marker_;
  MarkedText* out_;
};

// V4's encoder sorts calls as it sorts their results.
std::vector<ToolCall> ordered(std::span<const ToolCall> calls, const DeepSeekVariant& variant) {
  std::vector<ToolCall> sorted(calls.begin(), calls.end());
  if (!variant.keeps_places) std::ranges::stable_sort(sorted, {}, &ToolCall::id);
  return sorted;
}

}  // namespace

void open_tool_calls(const DeepSeekVariant& variant, std::optional<int32_t> marker,
                     MarkedText& out) {
  out.add_text("\n\n");
  CallWriter(variant, marker, out).add_tag("<", variant.tags.block, ">\n");
}

void add_tool_calls(std::span<const ToolCall> calls, const DeepSeekVariant& variant,
                    std::optional<int32_t> marker, MarkedText& out) {
  open_tool_calls(variant, marker, out);
  CallWriter writer(variant, marker, out);
  for (const ToolCall& call : ordered(calls, variant)) writer.add_call(call);
  writer.add_tag("</", variant.tags.block, ">");
}

}  // namespace kvasir::text
