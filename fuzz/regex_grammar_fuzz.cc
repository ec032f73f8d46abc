// A regular expression, a zero byte, bytes of a text: a grammar is made of it or it is refused with
// a message, and the text is followed within the limits.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "grammar/builder.h"
#include "grammar/regex.h"
#include "grammar_checks.h"

namespace {

using namespace kvasir;
using namespace kvasir::grammar;

Result<Automaton> automaton_of(std::string_view pattern) {
  Builder builder;
  KVASIR_ASSIGN_OR_RETURN(const NodeId node, read_regex(builder, pattern, {}));
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
  fuzz::follow(*std::move(automaton), input.substr(std::min(end + 1, size)));
  return 0;
}
