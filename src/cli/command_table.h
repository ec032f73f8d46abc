// A CommandTable holds what the command line understands, as data: what the man page and the
// shells' completions are written from. Command::table() makes it.
#pragma once

#include <string>
#include <vector>

namespace kvasir::cli {

struct OptionEntry {
  std::vector<std::string> names;    // "-h", "--help"; an argument by its place has one, "key"
  std::string value_name;            // "DIR"; "" where the option takes no value
  std::string description;           // one line
  std::string default_text;          // "" where it says nothing
  std::string limits;                // "0 - 65535"
  std::vector<std::string> choices;  // the only values it takes; none: any
  std::vector<std::string> excludes;
  bool is_argument = false;
  bool is_required = false;
  bool is_repeatable = false;

  bool takes_value() const { return !value_name.empty(); }
  bool takes_file() const { return value_name == "FILE" || value_name == "PATH"; }
  bool takes_directory() const { return value_name == "DIR"; }
};

struct CommandEntry {
  std::string path;         // "kvasir cache ls"
  std::string description;  // one line
  std::string closing;      // what stands below the options; lines, "" where nothing does
  std::vector<OptionEntry> options;
  std::vector<CommandEntry> commands;

  // Its own name, the last word of the path.
  std::string name() const { return path.substr(path.rfind(' ') + 1); }
};

using CommandTable = CommandEntry;  // the program's, with all others below it

// The command and all below it, parents first.
std::vector<const CommandEntry*> all_commands(const CommandTable& table);

std::string joined(const std::vector<std::string>& words, const char* between);

}  // namespace kvasir::cli
