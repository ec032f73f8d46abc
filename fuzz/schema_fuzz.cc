// A JSON Schema, a zero byte, bytes of a text: a grammar is made of it or it is refused with a
// message, the text is followed within the limits, and a position that lives can come to an end.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/json.h"
#include "grammar/builder.h"
#include "grammar/schema.h"
#include "grammar_checks.h"

namespace {

using namespace kvasir;
using namespace kvasir::grammar;

constexpr JsonLimits kLimits{.text_bytes_max = size_t{16} << 10};

Result<Automaton> automaton_of(std::string_view text) {
  KVASIR_ASSIGN_OR_RETURN(const Json schema, Json::parse(text, "fuzz", kLimits));
  Builder builder;
  KVASIR_ASSIGN_OR_RETURN(const NodeId node, read_schema(builder, schema));
  return builder.build_of(node);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t end = std::min(input.find('\0'), input.size());
  Result<Automaton> automaton = automaton_of(input.substr(0, end));
  if (!automaton.ok()) {
    KVASIR_CHECK(!automaton.error().message().empty(), "an error without a message");
    return 0;
  }
  const auto text = fuzz::follow(*std::move(automaton), input.substr(std::min(end + 1, size)));
  if (text)
    KVASIR_CHECK(
        Json::parse(*text, "text", {.depth_max = 1000}).ok() || fuzz::may_repeat_names(*text),
        "JSON");
  return 0;
}
