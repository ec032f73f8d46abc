#include "cli/notes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <vector>

#include "cli/output.h"

namespace kvasir::cli {
namespace {

// Of this process, as its standard error is.
std::vector<std::string> said;

}  // namespace

void note(const std::string& text) {
  if (std::find(said.begin(), said.end(), text) != said.end()) return;
  std::fprintf(stderr, "kvasir: note: %s\n", text.c_str());
  said.push_back(text);
}

void note_all(const std::vector<Error>& notes) {
  for (const Error& one : notes) note(message_of(one));
}

Json notes_json() { return Json::Array(said.begin(), said.end()); }

void note_context(const ModelInfo& model, int64_t token_count) {
  if (model.context_tokens_max == 0 || token_count <= model.context_tokens_max) return;
  note(fmt::format(
      "the model was made for {} tokens; what it says about more is not to be relied on",
      model.context_tokens_max));
}

}  // namespace kvasir::cli
