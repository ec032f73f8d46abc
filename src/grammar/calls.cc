#include "grammar/calls.h"

#include <string_view>
#include <utility>

#include "base/check.h"
#include "grammar/choice.h"
#include "grammar/marker.h"

namespace kvasir::grammar {
namespace {

constexpr std::string_view kBlanks = " \n\t\r";

ByteSet set_of(std::string_view bytes) {
  ByteSet set;
  for (const char byte : bytes) set.set(static_cast<uint8_t>(byte));
  return set;
}

ByteSet text_bytes() {
  ByteSet set;
  for (size_t byte = 0; byte < kFirstMarker; ++byte) set.set(byte);
  return set;
}

// Beginnings of the sign that are not the whole.
NodeId begun_sign(Builder& builder, std::string_view sign) {
  std::vector<NodeId> ways;
  for (size_t size = 1; size < sign.size(); ++size) {
    ways.push_back(builder.text(sign.substr(0, size)));
  }
  return builder.choice(std::move(ways));
}

// Text without the sign. Its first byte stands in it once, so what is begun and does not go on as
// the sign can only be begun anew.
NodeId text_without(Builder& builder, std::string_view sign) {
  if (is_marker(sign[0])) return builder.repeat(builder.bytes(text_bytes()), 0, Builder::kNoMax);
  KVASIR_CHECK(sign.find(sign[0], 1) == sign.npos, "a sign whose first byte it has once");
  const ByteSet first = set_of(sign.substr(0, 1));
  std::vector<NodeId> broken;
  for (size_t size = 1; size < sign.size(); ++size) {
    const ByteSet others = text_bytes() & ~first & ~set_of(sign.substr(size, 1));
    broken.push_back(builder.sequence({builder.text(sign.substr(0, size)), builder.bytes(others)}));
  }
  const NodeId begun = builder.repeat(begun_sign(builder, sign), 0, Builder::kNoMax);
  const NodeId any = builder.choice({builder.bytes(text_bytes() & ~first),
                                     builder.sequence({begun, builder.choice(std::move(broken))})});
  return builder.sequence({builder.repeat(any, 0, Builder::kNoMax), begun});
}

// Blanks, then what begins neither with a brace nor as the sign does, or nothing.
NodeId text_without_brace(Builder& builder, std::string_view sign) {
  const NodeId blanks = builder.repeat(builder.bytes(set_of(kBlanks)), 0, Builder::kNoMax);
  const ByteSet first = text_bytes() & ~set_of(kBlanks) & ~set_of("{") & ~set_of(sign.substr(0, 1));
  const NodeId text = builder.sequence({builder.bytes(first), text_without(builder, sign)});
  return builder.sequence({blanks, builder.optional(text)});
}

NodeId one_call(Builder& builder, const CallFrame& frame, const std::vector<CalledTool>& tools) {
  const NodeId behind_name = builder.shared(builder.text(frame.behind_name));
  std::vector<TextWay> ways;
  ways.reserve(tools.size());
  for (const CalledTool& tool : tools) {
    // A name that begins like another one is not yet over there.
    ways.push_back({tool.name, builder.sequence({behind_name, tool.arguments})});
  }
  return builder.shared(
      builder.sequence({builder.text(frame.before_name), choice_of_ways(builder, std::move(ways)),
                        builder.text(frame.behind_arguments)}));
}

}  // namespace

CallArguments::CallArguments(Builder& builder, const CallFrame& frame)
    : builder_(builder), text_(builder) {
  if (!frame.elements) return;
  const auto rule_of = [&](const std::string& text) { return builder.shared(builder.text(text)); };
  elements_ = ElementParts{rule_of(frame.elements->open), rule_of(frame.elements->text),
                           rule_of(frame.elements->json), rule_of(frame.elements->close)};
  if (!frame.elements->none.empty()) elements_->none = rule_of(frame.elements->none);
}

Result<NodeId> CallArguments::of(const Json* schema) {
  if (schema == nullptr && elements_ && elements_->none) return *elements_->none;
  if (schema == nullptr) return builder_.text(elements_ ? "" : "{}");
  if (elements_) return read_elements(builder_, text_, *elements_, *schema);
  return read_object_schema(builder_, text_, *schema);
}

NodeId CallArguments::any() {
  if (any_) return *any_;
  const Json any_object(true);
  const Result<NodeId> made = of(&any_object);
  KVASIR_CHECK(made.ok() || builder_.is_too_large(), "any object is one");
  any_ = made.ok() ? builder_.shared(*made) : builder_.never();
  return *any_;
}

NodeId call_texts(Builder& builder, const CallFrame& frame, const std::vector<CalledTool>& tools,
                  const CallCounts& counts) {
  const NodeId one = one_call(builder, frame, tools);
  const NodeId more = builder.sequence({builder.text(frame.between), one});
  const int64_t more_max = counts.max > 0 ? counts.max - 1 : Builder::kNoMax;
  const NodeId calls =
      builder.sequence({one, builder.repeat(more, 0, more_max), builder.text(frame.closing)});
  if (counts.is_opened) return calls;
  const NodeId opened = builder.sequence({choice_of_texts(builder, frame.openings), calls});
  if (counts.are_demanded) return opened;
  if (frame.begins_with_brace) {
    return builder.choice({opened, text_without_brace(builder, frame.sign)});
  }
  return builder.sequence({text_without(builder, frame.sign), builder.optional(opened)});
}

}  // namespace kvasir::grammar
