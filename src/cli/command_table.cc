#include "cli/command_table.h"

namespace kvasir::cli {

std::vector<const CommandEntry*> all_commands(const CommandTable& table) {
  std::vector<const CommandEntry*> found = {&table};
  for (const CommandEntry& command : table.commands) {
    const std::vector<const CommandEntry*> below = all_commands(command);
    found.insert(found.end(), below.begin(), below.end());
  }
  return found;
}

std::string joined(const std::vector<std::string>& words, const char* between) {
  std::string text;
  for (const std::string& word : words) {
    if (!text.empty()) text += between;
    text += word;
  }
  return text;
}

}  // namespace kvasir::cli
