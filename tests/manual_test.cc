// What is written from the table of commands: the man page and the shells' completions. And what of
// the program a package relies on.
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "cli_driver.h"

namespace kvasir {
namespace {

using testing::Outcome;

bool is_installed(const std::string& program) {
  return std::system(("command -v " + program + " >/dev/null").c_str()) == 0;
}

// What a command prints, on both streams.
std::string output_of(const std::string& command) {
  std::string text;
  FILE* pipe = popen(("{ " + command + "; } 2>&1").c_str(), "r");
  if (pipe == nullptr) return "not run";
  std::array<char, 4096> piece;
  while (std::fgets(piece.data(), piece.size(), pipe) != nullptr) text += piece.data();
  pclose(pipe);
  return text;
}

// The names that --help lists under "Subcommands:".
std::vector<std::string> commands_in(const std::string& help) {
  std::vector<std::string> names;
  std::istringstream lines(help.substr(std::min(help.find("\nSubcommands:"), help.size())));
  std::string line;
  for (std::getline(lines, line); std::getline(lines, line) && !line.empty();) {
    std::istringstream words(line);
    if (std::string name; line.starts_with("  ") && words >> name) names.push_back(name);
  }
  return names;
}

std::set<std::string> options_in(const std::string& text) {
  static const std::regex kOption("--[a-z][a-z-]*");
  return {std::sregex_token_iterator(text.begin(), text.end(), kOption),
          std::sregex_token_iterator()};
}

// The page as a reader sees its words.
std::string without_escapes(std::string page) {
  for (size_t at = 0; (at = page.find("\\-", at)) != std::string::npos; ++at) page.erase(at, 1);
  return page;
}

class Manual : public testing::CliTest {
 protected:
  std::string page(const std::string& kind) {
    const Outcome outcome = run("docs " + kind);
    EXPECT_EQ(outcome.exit_status, 0) << outcome.err;
    return outcome.out;
  }

  // The page in a file, by its path.
  std::string page_file(const std::string& kind) {
    const std::string path = directory_.file("kvasir." + kind);
    testing::write_file(path, page(kind));
    return path;
  }

  void expect_described(const std::string& command, const std::string& page) {
    const std::string help = run(command + " --help").out;
    const size_t begin = page.find(".SS \"kvasir" + command + "\"");
    ASSERT_NE(begin, std::string::npos) << command;
    const std::string section = page.substr(begin, page.find("\n.SS", begin) - begin);
    const std::set<std::string> described = options_in(section);
    for (const std::string& option : options_in(help)) {
      EXPECT_EQ(described.count(option), 1u) << command << " " << option;
    }
    for (const std::string& below : commands_in(help))
      expect_described(command + " " + below, page);
  }

  // What bash offers when the last word is to be completed, ordered.
  std::set<std::string> bash_offers(const std::string& words) {
    const std::string script = "source " + page_file("bash") + "; COMP_WORDS=(" + words +
                               "); COMP_CWORD=$((${#COMP_WORDS[@]}-1)); _kvasir; "
                               "printf \"%s\\n\" \"${COMPREPLY[@]}\"";
    std::istringstream lines(output_of("bash -c '" + script + "'"));
    std::set<std::string> offers;
    for (std::string line; std::getline(lines, line);) offers.insert(line);
    return offers;
  }
};

TEST_F(Manual, EveryCommandAndOptionOfHelpIsOnTheManPage) {
  const std::string text = without_escapes(page("man"));
  const std::vector<std::string> commands = commands_in(run("--help").out);
  EXPECT_GE(commands.size(), 9u);
  for (const std::string& command : commands) expect_described(" " + command, text);
}

TEST_F(Manual, ManPageHasNoErrorForTheFormatter) {
  if (!is_installed("groff")) GTEST_SKIP() << "no groff";
  EXPECT_EQ(output_of("groff -man -ww -z " + page_file("man")), "");
}

TEST_F(Manual, BashCompletesCommandsOptionsAndTheirValues) {
  using Words = std::set<std::string>;
  EXPECT_EQ(bash_offers("kvasir se"), (Words{"serve"}));
  EXPECT_EQ(bash_offers("kvasir bench ro"), (Words{"rows"}));
  EXPECT_EQ(bash_offers("kvasir serve --durab"), (Words{"--durability"}));
  EXPECT_EQ(bash_offers("kvasir serve --durability st"), (Words{"strict"}));
  EXPECT_EQ(bash_offers("kvasir serve --durability = ba"), (Words{"batch"}));
  // The value of an option is no command, whatever it is called.
  EXPECT_EQ(bash_offers("kvasir cache ls --store export --js"), (Words{"--json"}));
  // Nor is one command's option another's.
  EXPECT_EQ(bash_offers("kvasir cache ls --durab"), (Words{""}));
}

TEST_F(Manual, BashCompletesFilesAndFolders) {
  std::filesystem::create_directory(directory_.file("a_folder"));
  testing::write_file(directory_.file("a_file"), "");
  const std::string begun = directory_.file("a_f");
  const std::set<std::string> folder = {directory_.file("a_folder")};
  EXPECT_EQ(bash_offers("kvasir serve --store " + begun), folder);
  EXPECT_EQ(bash_offers("kvasir cache import " + begun).size(), 2u);
}

TEST_F(Manual, FishCompletes) {
  if (!is_installed("fish")) GTEST_SKIP() << "no fish";
  const std::string source = "HOME=" + directory_.file("home") + " fish --no-config -c 'source " +
                             page_file("fish") + "; complete -C \"";
  EXPECT_EQ(output_of(source + "kvasir se\"'").substr(0, 6), "serve\t");
  EXPECT_EQ(output_of(source + "kvasir serve --durability s\"'").substr(0, 7), "strict\t");
  EXPECT_EQ(output_of(source + "kvasir cache ls --store export --js\"'").substr(0, 7), "--json\t");
}

TEST_F(Manual, ZshReadsItsCompletion) {
  if (!is_installed("zsh")) GTEST_SKIP() << "no zsh";
  EXPECT_EQ(output_of("zsh -n " + page_file("zsh")), "");
}

// bin/kvasir and share/kvasir below one folder, as packages put them.
TEST_F(Manual, AnInstalledProgramFindsItsModel) {
  namespace fs = std::filesystem;
  const fs::path place = directory_.file("usr");
  const fs::path source = KVASIR_SOURCE_DIR;
  fs::create_directories(place / "bin");
  fs::create_directories(place / "share/kvasir/models");
  std::error_code on_another_device;
  fs::create_hard_link(KVASIR_BINARY, place / "bin/kvasir", on_another_device);
  if (on_another_device) fs::copy_file(KVASIR_BINARY, place / "bin/kvasir");
  const std::string run =
      (place / "bin/kvasir").string() + " run --no-store --prompt It --max-tokens 1";
  EXPECT_NE(output_of(run).find("was not found"), std::string::npos);
  fs::create_symlink(source / "models/kvasir-tiny", place / "share/kvasir/models/kvasir-tiny");
  EXPECT_NE(output_of(run).find("prompt tokens"), std::string::npos) << output_of(run);
}

TEST_F(Manual, ServeCanListenOnAUnixSocketAlone) {
  const std::string path = directory_.file("socket");
  const Outcome outcome = run_until_signal(
      "TERM", "serve --no-store --no-tcp --unix " + path, "",
      [](const Outcome& so_far) { return so_far.out.find("serving") != std::string::npos; });
  EXPECT_EQ(outcome.exit_status, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("unix:" + path), std::string::npos) << outcome.out;
  EXPECT_EQ(outcome.out.find("http://"), std::string::npos) << outcome.out;
  for (const char* wrong : {"", " --port 0 --unix ", " --host 127.0.0.1 --unix "}) {
    const std::string socket = *wrong == '\0' ? "" : path;
    EXPECT_EQ(run("serve --no-store --no-tcp" + (wrong + socket)).exit_status, 2) << wrong;
  }
}

}  // namespace
}  // namespace kvasir
