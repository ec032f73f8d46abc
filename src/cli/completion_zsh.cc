#include <sstream>

#include "cli/completions.h"

namespace kvasir::cli {
namespace {

// Text within single quotes of an argument to _arguments or _describe, which take colons and
// brackets as signs of their own.
std::string escaped(const std::string& text) {
  std::string written;
  for (const char c : text) {
    if (c == '\'') {
      written += "'\\''";
      continue;
    }
    if (c == ':' || c == '[' || c == ']' || c == '\\') written += '\\';
    written += c;
  }
  return written;
}

// "_kvasir_cache_ls"
std::string function_of(const CommandEntry& command) {
  std::string name = "_" + command.path;
  for (char& c : name) {
    if (c == ' ' || c == '-') c = '_';
  }
  return name;
}

// ":DIR:_files -/"
std::string value_of(const OptionEntry& option) {
  std::string action = " ";
  if (option.takes_file()) action = "_files";
  if (option.takes_directory()) action = "_files -/";
  if (!option.choices.empty()) action = "(" + joined(option.choices, " ") + ")";
  return ":" + escaped(option.value_name) + ":" + action;
}

void write_option(std::ostream& out, const OptionEntry& option) {
  if (option.is_argument) {
    out << " \\\n    '" << value_of(option) << "'";
    return;
  }
  for (const std::string& name : option.names) {
    const bool takes_value = option.takes_value();
    out << " \\\n    '" << (option.is_repeatable ? "*" : "") << name << (takes_value ? "=" : "")
        << "[" << escaped(option.description) << "]" << (takes_value ? value_of(option) : "")
        << "'";
  }
}

void write_choice_of_command(std::ostream& out, const CommandEntry& command) {
  out << "  case $state in\n  command)\n    local -a commands=(";
  for (const CommandEntry& below : command.commands) {
    out << "\n      '" << escaped(below.name()) << ":" << escaped(below.description) << "'";
  }
  out << ")\n    _describe command commands\n    ;;\n  rest)\n    case $line[1] in\n";
  for (const CommandEntry& below : command.commands) {
    out << "    " << below.name() << ") " << function_of(below) << " ;;\n";
  }
  out << "    esac\n    ;;\n  esac\n";
}

void write_command(std::ostream& out, const CommandEntry& command) {
  const bool has_commands = !command.commands.empty();
  out << function_of(command) << "() {\n";
  if (has_commands) out << "  local curcontext=$curcontext state line\n";
  out << "  _arguments " << (has_commands ? "-C" : "-s");
  for (const OptionEntry& option : command.options) write_option(out, option);
  if (has_commands) out << " \\\n    '1: :->command' \\\n    '*:: :->rest'";
  out << "\n";
  if (has_commands) write_choice_of_command(out, command);
  out << "}\n";
}

}  // namespace

std::string zsh_completion(const CommandTable& table) {
  std::ostringstream out;
  out << "#compdef kvasir\n";
  for (const CommandEntry* command : all_commands(table)) write_command(out, *command);
  // As a file of $fpath it is the body of _kvasir; sourced, it says what it completes.
  out << "if [ \"$funcstack[1]\" = _kvasir ]; then _kvasir \"$@\"; else compdef _kvasir kvasir; "
         "fi\n";
  return std::move(out).str();
}

}  // namespace kvasir::cli
