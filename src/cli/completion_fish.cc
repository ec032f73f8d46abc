#include <sstream>

#include "cli/completions.h"

namespace kvasir::cli {
namespace {

// Which command is being written: the words before the cursor that are commands, one below the
// other. Options are passed over, and what one of them takes.
constexpr const char* kBegin = R"fish(# fish completion for kvasir
function __kvasir_is
    set -l path kvasir
    set -l skip 0
    for word in (commandline -opc)[2..]
        if test $skip = 1
            set skip 0
        else if contains -- "$path $word" $__kvasir_commands
            set path "$path $word"
        else if contains -- "$path $word" $__kvasir_takes_value
            set skip 1
        end
    end
    test "$path" = "$argv"
end
complete -c kvasir -f
)fish";

std::string in_quotes(const std::string& text) {
  std::string written = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') written += '\\';
    written += c;
  }
  return written + "'";
}

void write_list(std::ostream& out, const char* name, const std::vector<std::string>& words) {
  out << "set -g " << name;
  for (const std::string& word : words) out << " \\\n    " << in_quotes(word);
  out << "\n";
}

void write_lists(std::ostream& out, const std::vector<const CommandEntry*>& commands) {
  std::vector<std::string> paths;
  std::vector<std::string> options;
  for (const CommandEntry* command : commands) {
    paths.push_back(command->path);
    for (const OptionEntry& option : command->options) {
      if (!option.takes_value() || option.is_argument) continue;
      for (const std::string& name : option.names) options.push_back(command->path + " " + name);
    }
  }
  write_list(out, "__kvasir_commands", paths);
  write_list(out, "__kvasir_takes_value", options);
}

// What follows the option: -x nothing but what is listed, -F files, "" no value.
std::string value_of(const OptionEntry& option) {
  if (!option.choices.empty()) return " -x -a " + in_quotes(joined(option.choices, " "));
  if (option.takes_directory()) return " -x -a '(__fish_complete_directories)'";
  if (option.takes_file()) return " -r -F";
  return option.takes_value() ? " -x" : "";
}

std::string names_of(const OptionEntry& option) {
  std::string names;
  for (const std::string& name : option.names) {
    names += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
  }
  return names;
}

void write_command(std::ostream& out, const CommandEntry& command) {
  const std::string begin = "complete -c kvasir -n " + in_quotes("__kvasir_is " + command.path);
  for (const CommandEntry& below : command.commands) {
    out << begin << " -a " << below.name() << " -d " << in_quotes(below.description) << "\n";
  }
  for (const OptionEntry& option : command.options) {
    if (option.is_argument) {
      if (option.takes_file()) out << begin << " -F\n";
      continue;
    }
    out << begin << names_of(option) << value_of(option) << " -d " << in_quotes(option.description)
        << "\n";
  }
}

}  // namespace

std::string fish_completion(const CommandTable& table) {
  const std::vector<const CommandEntry*> commands = all_commands(table);
  std::ostringstream out;
  write_lists(out, commands);
  out << kBegin;
  for (const CommandEntry* command : commands) write_command(out, *command);
  return std::move(out).str();
}

}  // namespace kvasir::cli
