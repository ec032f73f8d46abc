#include "cli/man_page.h"

#include <cctype>
#include <sstream>

namespace kvasir::cli {
namespace {

constexpr const char* kEnd = R"(.SH EXIT STATUS
.TP
.B 0
Done.
.TP
.B 1
It failed; one line on standard error says why.
.TP
.B 2
Wrong usage.
.TP
.B 128+N
Signal N ended it.
.SH ENVIRONMENT
.TP
.BR XDG_CACHE_HOME ", " HOME
Where the default store and models called by name are.
.SH FILES
.TP
.I ~/.cache/kvasir
The default store.
.TP
.I ~/.cache/kvasir\-models
Models called by name: one folder each.
.TP
.I /usr/share/kvasir
The bundled model, and the texts of evaluations.
)";

// Text as roff prints it: a backslash and a dash that can be copied, and no line that is a request.
std::string roff(const std::string& text) {
  std::string written;
  bool at_line_start = true;
  for (const char c : text) {
    if (at_line_start && (c == '.' || c == '\'')) written += "\\&";
    if (c == '\\') {
      written += "\\e";
    } else if (c == '-') {
      written += "\\-";
    } else if (c == '\'') {
      written += "\\(aq";
    } else if (c == '~') {
      written += "\\(ti";
    } else if (c == '^') {
      written += "\\(ha";
    } else if (c == '`') {
      written += "\\(ga";
    } else {
      written += c;
    }
    at_line_start = c == '\n';
  }
  return written;
}

// Words on lines of 80 at most, as far as they allow it.
std::string wrapped(const std::string& text) {
  std::istringstream words(text);
  std::string lines;
  std::string line;
  for (std::string word; words >> word;) {
    if (!line.empty() && roff(line + ' ' + word).size() > 80) {
      lines += line + "\n";
      line.clear();
    }
    line += (line.empty() ? "" : " ") + word;
  }
  return lines + line;
}

// One line of --help as a sentence.
std::string sentence(std::string text) {
  if (text.empty()) return text;
  text.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(text.front())));
  if (!text.ends_with('.')) text += '.';
  return roff(wrapped(text));
}

void write_option(std::ostream& out, const OptionEntry& option) {
  out << ".TP\n";
  const bool has_value = option.takes_value() && !option.is_argument;
  const std::string names = roff(joined(option.names, ", "));
  out << (option.is_argument ? "\\fI" : "\\fB") << names << "\\fR";
  if (has_value) out << " \\fI" << roff(option.value_name) << "\\fR";
  out << "\n" << sentence(option.description) << "\n";
  if (!option.choices.empty()) {
    out << sentence("One of " + joined(option.choices, ", ")) << "\n";
  }
  if (!option.limits.empty()) out << sentence("Within " + option.limits) << "\n";
  if (!option.default_text.empty()) out << sentence("Default: " + option.default_text) << "\n";
  if (option.is_required) out << "Must be given.\n";
  if (option.is_repeatable) out << "May be given several times.\n";
  if (!option.excludes.empty()) {
    out << sentence("Not together with " + joined(option.excludes, ", ")) << "\n";
  }
}

void write_synopsis(std::ostream& out, const CommandEntry& command) {
  out << "\\fB" << roff(command.path) << "\\fR [\\fIOPTIONS\\fR]";
  if (!command.commands.empty()) out << " \\fICOMMAND\\fR";
  for (const OptionEntry& option : command.options) {
    if (option.is_argument) out << " \\fI" << roff(option.names.front()) << "\\fR";
  }
  out << "\n";
}

// Lines as they stand, in a block that is not filled.
void write_lines(std::ostream& out, const std::string& lines) {
  out << ".PP\n.nf\n" << roff(lines) << (lines.ends_with('\n') ? "" : "\n") << ".fi\n";
}

void write_command(std::ostream& out, const CommandEntry& command) {
  out << ".SS \"" << roff(command.path) << "\"\n" << sentence(command.description) << "\n.PP\n";
  write_synopsis(out, command);
  for (const OptionEntry& option : command.options) write_option(out, option);
  if (!command.closing.empty()) write_lines(out, command.closing);
}

}  // namespace

std::string man_page(const CommandTable& table, const std::string& version) {
  std::ostringstream out;
  out << ".TH KVASIR 1 \"\" \"" << roff(version) << "\" \"User Commands\"\n"
      << ".SH NAME\nkvasir \\- run language models and keep their KV cache\n"
      << ".SH SYNOPSIS\n";
  write_synopsis(out, table);
  out << ".SH DESCRIPTION\n" << sentence(table.description) << "\n.SH OPTIONS\n";
  for (const OptionEntry& option : table.options) write_option(out, option);
  out << ".SH COMMANDS\n";
  for (const CommandEntry* command : all_commands(table)) {
    if (command != &table) write_command(out, *command);
  }
  out << kEnd;
  return std::move(out).str();
}

}  // namespace kvasir::cli
