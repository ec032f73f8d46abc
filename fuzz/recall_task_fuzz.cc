// Any text as a recall task: what parses must give documents, or an error, and never hang.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "eval/recall_document.h"
#include "eval/recall_task.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kvasir::eval;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto task = parse_recall_task(text, "fuzz");
  if (!task) {
    KVASIR_CHECK(!task.error().message().empty(), "an error without a message");
    return 0;
  }
  static const Prose kProse = *Prose::create("One is here. Two is here. Three is here.", "fuzz");
  const auto count_tokens = [](std::string_view part) { return static_cast<int64_t>(part.size()); };
  const auto document = make_recall_document(
      *task, kProse, {.seed = size, .length_tokens = 2000, .fact_count = 4, .tail_tokens = 100},
      count_tokens);
  if (!document) return 0;
  const size_t absent_count = task->absent_answer.empty() ? 0 : 1;
  KVASIR_CHECK(document->questions.size() == 4 + absent_count, "four facts, one that is not there");
  KVASIR_CHECK(document->token_count >= 2000, "length");
  return 0;
}
