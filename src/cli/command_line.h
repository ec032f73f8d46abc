// A CommandLine is the program's commands and their options, and reads the arguments. The library
// that does so is known to command_line.cc alone: every source that sees it compiles for seconds.
// Command and Option are handles into a CommandLine and are valid while it lives.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "cli/command_table.h"
#include "kvasir/result.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace kvasir::cli {

// What runs when a command is chosen; returns the exit status.
using Action = std::function<int()>;

class Option {
 public:
  explicit Option(CLI::Option* option) : option_(option) {}

  // What stands for the value in --help. Shells complete a FILE, a PATH and a DIR.
  Option& value_name(const char* word);
  // --help shows the value that the variable has now.
  Option& show_default();
  // `problem_of` says what is wrong with a text, "" where nothing is.
  Option& check(std::string (*problem_of)(const std::string& text));
  Option& check_range(int64_t min, int64_t max);
  Option& check_real_range(double min, double max);
  Option& check_one_of(const std::vector<std::string>& names);
  Option& check_directory();
  Option& required();
  // Takes one value, though its variable holds a list.
  Option& single();
  // --stop a --stop b, never --stop a b.
  Option& one_value_each_time();
  // a,b,c is a list of three.
  Option& comma_separated();
  Option& excludes(const Option& other);
  Option& needs(const Option& other);

 private:
  CLI::Option* option_;
};

class Command {
 public:
  Command(CLI::App* app, Action* chosen) : app_(app), chosen_(chosen) {}

  Command add_command(const char* name, const char* description);
  // What --help prints below the options.
  void add_closing(const std::string& lines);
  // --help of the program does not show it.
  void hide();
  // One of its commands must be named.
  void require_command();
  // Options under a heading of their own, of which `min` to `max` must be given.
  Command add_group(const char* name, const char* description);
  void require_options(int min, int max);

  // `value` is set by the option, and holds what counts where the option is not given. A name
  // without dashes is an argument by its place.
  Option add_option(const char* name, std::string& value, const char* description);
  Option add_option(const char* name, int& value, const char* description);
  Option add_option(const char* name, int64_t& value, const char* description);
  Option add_option(const char* name, uint64_t& value, const char* description);
  Option add_option(const char* name, float& value, const char* description);
  Option add_option(const char* name, double& value, const char* description);
  Option add_option(const char* name, std::vector<std::string>& values, const char* description);
  Option add_option(const char* name, std::vector<int64_t>& values, const char* description);
  Option add_option(const char* name, std::vector<double>& values, const char* description);
  Option add_flag(const char* name, bool& value, const char* description);

  void on_chosen(Action action);

  // What was added so far, but for what is hidden.
  CommandTable table() const;

 private:
  CLI::App* app_;
  Action* chosen_;
};

class CommandLine {
 public:
  CommandLine(const char* description, const char* version);
  ~CommandLine();
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  // The program itself, to which commands are added.
  Command program();

  // The action of the command that the arguments name; that of --help and --version prints their
  // text. Error: wrong usage.
  Result<Action> parse(int argc, char** argv);

 private:
  std::unique_ptr<CLI::App> app_;
  Action chosen_;
};

}  // namespace kvasir::cli
