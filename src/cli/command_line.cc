#include "cli/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <sstream>
#include <utility>

#include "cli/output.h"

namespace kvasir::cli {
namespace {

// What --help and --version ask for.
Action print_asked(const CLI::App& app, const CLI::ParseError& asked) {
  std::ostringstream text;
  app.exit(asked, text, text);
  return [text = text.str()] {
    std::fputs(text.c_str(), stdout);
    const Status output = flush_output();
    return output.ok() ? 0 : fail(output.error());
  };
}

// The library keeps a value's name and what its checks say of it as one text: "INT:INT in [0 - 9]",
// "TEXT:{a,b}".
void read_value(const std::string& text, OptionEntry& entry) {
  const size_t colon = text.find(':');
  entry.value_name = text.substr(0, colon);
  if (colon == std::string::npos) return;
  const std::string checks = text.substr(colon + 1);
  const size_t end = checks.empty() ? 0 : checks.size() - 1;
  if (checks.starts_with('{')) {
    entry.choices = CLI::detail::split(checks.substr(1, end - 1), ',');
  } else if (const size_t range = checks.find(" in ["); range != std::string::npos) {
    entry.limits = checks.substr(range + 5, end - (range + 5));
  }
}

std::vector<std::string> names_of(const CLI::Option& option) {
  if (option.get_positional()) return {option.get_name(true)};
  return CLI::detail::split(option.get_name(false, true), ',');
}

OptionEntry entry_of(const CLI::Option& option) {
  OptionEntry entry{.names = names_of(option),
                    .description = option.get_description(),
                    .default_text = option.get_default_str(),
                    .is_argument = option.get_positional(),
                    .is_required = option.get_required(),
                    .is_repeatable = option.get_expected_max() > 1};
  if (option.get_type_size_max() > 0) read_value(option.get_type_name(), entry);
  for (const CLI::Option* other : option.get_excludes()) {
    entry.excludes.push_back(names_of(*other).back());
  }
  std::sort(entry.excludes.begin(), entry.excludes.end());
  return entry;
}

// A group of options is a command without a name to the library.
std::vector<const CLI::App*> parts_of(const CLI::App& app, bool are_groups) {
  return app.get_subcommands([are_groups](const CLI::App* part) {
    return part->get_name().empty() == are_groups && (are_groups || !part->get_group().empty());
  });
}

CommandTable table_of(const CLI::App& app, const std::string& path) {
  CommandTable table{
      .path = path, .description = app.get_description(), .closing = app.get_footer()};
  for (const CLI::Option* option : app.get_options()) table.options.push_back(entry_of(*option));
  for (const CLI::App* group : parts_of(app, true)) {
    for (const CLI::Option* option : group->get_options()) {
      table.options.push_back(entry_of(*option));
    }
  }
  for (const CLI::App* command : parts_of(app, false)) {
    table.commands.push_back(table_of(*command, path + " " + command->get_name()));
  }
  return table;
}

}  // namespace

Option& Option::value_name(const char* word) {
  option_->type_name(word);
  return *this;
}

Option& Option::show_default() {
  option_->capture_default_str();
  return *this;
}

Option& Option::check(std::string (*problem_of)(const std::string& text)) {
  option_->check(problem_of);
  return *this;
}

Option& Option::check_range(int64_t min, int64_t max) {
  option_->check(CLI::Range(min, max));
  return *this;
}

Option& Option::check_real_range(double min, double max) {
  option_->check(CLI::Range(min, max));
  return *this;
}

Option& Option::check_one_of(const std::vector<std::string>& names) {
  option_->check(CLI::IsMember(names));
  return *this;
}

Option& Option::check_directory() {
  option_->type_name("DIR")->check(CLI::ExistingDirectory.description(""));
  return *this;
}

Option& Option::required() {
  option_->required();
  return *this;
}

Option& Option::single() {
  option_->expected(1);
  return *this;
}

Option& Option::one_value_each_time() {
  option_->allow_extra_args(false);
  return *this;
}

Option& Option::comma_separated() {
  option_->delimiter(',');
  return *this;
}

Option& Option::excludes(const Option& other) {
  option_->excludes(other.option_);
  return *this;
}

Option& Option::needs(const Option& other) {
  option_->needs(other.option_);
  return *this;
}

Command Command::add_command(const char* name, const char* description) {
  return {app_->add_subcommand(name, description), chosen_};
}

void Command::add_closing(const std::string& lines) { app_->footer(lines); }

void Command::hide() { app_->group(""); }

void Command::require_command() { app_->require_subcommand(1); }

Command Command::add_group(const char* name, const char* description) {
  return {app_->add_option_group(name, description), chosen_};
}

void Command::require_options(int min, int max) {
  app_->require_option(static_cast<size_t>(min), static_cast<size_t>(max));
}

Option Command::add_option(const char* name, std::string& value, const char* description) {
  return Option(app_->add_option(name, value, description));
}

Option Command::add_option(const char* name, int& value, const char* description) {
  return Option(app_->add_option(name, value, description));
}

Option Command::add_option(const char* name, int64_t& value, const char* description) {
  return Option(app_->add_option(name, value, description));
}

Option Command::add_option(const char* name, uint64_t& value, const char* description) {
  return Option(app_->add_option(name, value, description));
}

Option Command::add_option(const char* name, float& value, const char* description) {
  return Option(app_->add_option(name, value, description));
}

Option Command::add_option(const char* name, double& value, const char* description) {
  return Option(app_->add_option(name, value, description));
}

Option Command::add_option(const char* name, std::vector<std::string>& values,
                           const char* description) {
  return Option(app_->add_option(name, values, description));
}

Option Command::add_option(const char* name, std::vector<int64_t>& values,
                           const char* description) {
  return Option(app_->add_option(name, values, description));
}

Option Command::add_option(const char* name, std::vector<double>& values, const char* description) {
  return Option(app_->add_option(name, values, description));
}

Option Command::add_flag(const char* name, bool& value, const char* description) {
  return Option(app_->add_flag(name, value, description));
}

void Command::on_chosen(Action action) {
  app_->callback([action = std::move(action), chosen = chosen_] { *chosen = action; });
}

CommandTable Command::table() const { return table_of(*app_, app_->get_name()); }

CommandLine::CommandLine(const char* description, const char* version)
    : app_(std::make_unique<CLI::App>(description, "kvasir")) {
  app_->require_subcommand(1);
  app_->set_version_flag("--version", version);
}

CommandLine::~CommandLine() = default;

Command CommandLine::program() { return {app_.get(), &chosen_}; }

Result<Action> CommandLine::parse(int argc, char** argv) {
  try {
    app_->parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return print_asked(*app_, error);
    return Error{.kind = ErrorKind::kUsage,
                 .what = error.what(),
                 .remedy = "see 'kvasir --help' and 'kvasir COMMAND --help'"};
  }
  return chosen_;
}

}  // namespace kvasir::cli
