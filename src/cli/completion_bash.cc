#include <sstream>

#include "cli/completions.h"

namespace kvasir::cli {
namespace {

// The words before the cursor say which command is being written; what an option takes is no
// command. "--kv=native" arrives as three words.
constexpr const char* kBegin = R"(# bash completion for kvasir
_kvasir() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} path=kvasir i
  for ((i = 1; i < COMP_CWORD; i++)); do
    if _kvasir_is_command "$path ${COMP_WORDS[i]}"; then
      path+=" ${COMP_WORDS[i]}"
    elif _kvasir_takes_value "$path ${COMP_WORDS[i]}"; then
      if [[ ${COMP_WORDS[i+1]} == = ]]; then ((i++)); fi
      ((i++))
    fi
  done
  if [[ $cur == = ]]; then
    cur=
  elif [[ $prev == = && $COMP_CWORD -gt 2 ]]; then
    prev=${COMP_WORDS[COMP_CWORD-2]}
  fi
  COMPREPLY=()
  if _kvasir_takes_value "$path $prev"; then
    _kvasir_value "$path $prev"
  elif [[ $cur == -* ]]; then
    _kvasir_options "$path"
  else
    _kvasir_words "$path"
  fi
}
_kvasir_reply() { mapfile -t COMPREPLY < <(compgen "$@" -- "$cur"); }
_kvasir_reply_files() { compopt -o filenames 2>/dev/null; _kvasir_reply "$@"; }
)";

// What completes a value; "" where nothing is known of it.
std::string reply_for(const OptionEntry& option) {
  if (!option.choices.empty()) return "_kvasir_reply -W '" + joined(option.choices, " ") + "'";
  if (option.takes_directory()) return "_kvasir_reply_files -d";
  if (option.takes_file()) return "_kvasir_reply_files -f";
  return "";
}

// "'kvasir run --model'", or several of them.
std::string pattern(const CommandEntry& command, const OptionEntry& option) {
  std::vector<std::string> words;
  for (const std::string& name : option.names) {
    words.push_back("'" + command.path + " " + name + "'");
  }
  return joined(words, " | ");
}

void begin_case(std::ostream& out, const char* function) {
  out << function << "() {\n  case $1 in\n";
}

void end_case(std::ostream& out, bool is_test) {
  if (is_test) out << "    *) return 1 ;;\n";
  out << "  esac\n}\n";
}

void write_tests(std::ostream& out, const std::vector<const CommandEntry*>& commands) {
  begin_case(out, "_kvasir_is_command");
  for (const CommandEntry* command : commands) out << "    '" << command->path << "') ;;\n";
  end_case(out, true);
  begin_case(out, "_kvasir_takes_value");
  for (const CommandEntry* command : commands) {
    for (const OptionEntry& option : command->options) {
      if (option.takes_value() && !option.is_argument) {
        out << "    " << pattern(*command, option) << ") ;;\n";
      }
    }
  }
  end_case(out, true);
}

void write_values(std::ostream& out, const std::vector<const CommandEntry*>& commands) {
  begin_case(out, "_kvasir_value");
  for (const CommandEntry* command : commands) {
    for (const OptionEntry& option : command->options) {
      const std::string reply = reply_for(option);
      if (reply.empty() || option.is_argument) continue;
      out << "    " << pattern(*command, option) << ") " << reply << " ;;\n";
    }
  }
  end_case(out, false);
}

std::vector<std::string> option_names(const CommandEntry& command) {
  std::vector<std::string> names;
  for (const OptionEntry& option : command.options) {
    if (!option.is_argument) names.insert(names.end(), option.names.begin(), option.names.end());
  }
  return names;
}

// What stands where neither an option nor its value is begun: a command, or an argument.
std::string words_of(const CommandEntry& command) {
  std::vector<std::string> names;
  for (const CommandEntry& below : command.commands) names.push_back(below.name());
  if (!names.empty()) return "_kvasir_reply -W '" + joined(names, " ") + "'";
  for (const OptionEntry& option : command.options) {
    const std::string reply = option.is_argument ? reply_for(option) : "";
    if (!reply.empty()) return reply;
  }
  return "_kvasir_options \"$1\"";
}

void write_words(std::ostream& out, const std::vector<const CommandEntry*>& commands) {
  begin_case(out, "_kvasir_options");
  for (const CommandEntry* command : commands) {
    out << "    '" << command->path << "') _kvasir_reply -W '"
        << joined(option_names(*command), " ") << "' ;;\n";
  }
  end_case(out, false);
  begin_case(out, "_kvasir_words");
  for (const CommandEntry* command : commands) {
    out << "    '" << command->path << "') " << words_of(*command) << " ;;\n";
  }
  end_case(out, false);
}

}  // namespace

std::string bash_completion(const CommandTable& table) {
  const std::vector<const CommandEntry*> commands = all_commands(table);
  std::ostringstream out;
  out << kBegin;
  write_tests(out, commands);
  write_values(out, commands);
  write_words(out, commands);
  out << "complete -F _kvasir kvasir\n";
  return std::move(out).str();
}

}  // namespace kvasir::cli
