#include "cli/notes.h"

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

}  // namespace kvasir::cli
