// kvasir docs: the man page and the shells' completions, for those who make packages.
#include <cstdio>

#include "cli/commands.h"
#include "cli/completions.h"
#include "cli/man_page.h"

namespace kvasir::cli {
namespace {

struct DocsOptions {
  std::string kind;
};

std::string page_of(const std::string& kind, const CommandTable& table) {
  if (kind == "bash") return bash_completion(table);
  if (kind == "zsh") return zsh_completion(table);
  if (kind == "fish") return fish_completion(table);
  return man_page(table, "kvasir " KVASIR_VERSION);
}

}  // namespace

void add_docs_command(Command program) {
  auto options = std::make_shared<DocsOptions>();
  Command command = program.add_command("docs", "print the man page or a shell's completions");
  command.hide();
  command.add_option("KIND", options->kind, "what to print")
      .check_one_of({"man", "bash", "zsh", "fish"})
      .required();
  on_chosen(command, options, [program](const DocsOptions& chosen) {
    std::fputs(page_of(chosen.kind, program.table()).c_str(), stdout);
    return flush_output();
  });
}

}  // namespace kvasir::cli
