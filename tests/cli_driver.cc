#include "cli_driver.h"

#include <sys/wait.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

namespace kvasir::testing {

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

int exit_status_of(int wait_status) {
  return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

Outcome CliTest::run(const std::string& arguments, const std::string& input,
                     const std::string& wrapper) {
  write_file(directory_.file("in"), input);
  // The default store is the test's own.
  const std::string command = "XDG_CACHE_HOME=" + directory_.file("cache") + " " + wrapper + " " +
                              std::string(KVASIR_BINARY) + " " + arguments + " < " +
                              directory_.file("in") + " > " + directory_.file("out") + " 2> " +
                              directory_.file("err");
  const int status = std::system(command.c_str());
  return {exit_status_of(status), read_file(directory_.file("out")),
          read_file(directory_.file("err"))};
}

Outcome CliTest::run_until_signal(const std::string& signal, const std::string& arguments,
                                  const std::string& input, bool (*has_begun)(const Outcome&)) {
  Outcome outcome;
  // Without --foreground the program gets the signal twice, and a second one ends it at once.
  for (double wait_s = 0.5; wait_s <= 128; wait_s *= 2) {
    outcome = run(
        arguments, input,
        "timeout --foreground --preserve-status --signal=" + signal + " " + std::to_string(wait_s));
    if (has_begun(outcome)) return outcome;
  }
  ADD_FAILURE() << arguments << ": nothing was printed in time: " << outcome.out << outcome.err;
  return outcome;
}

Json CliTest::run_json(const std::string& arguments, const std::string& input) {
  const Outcome outcome = run(arguments, input);
  EXPECT_EQ(outcome.exit_status, 0) << outcome.err;
  auto json = Json::parse(outcome.out, arguments);
  EXPECT_TRUE(json.ok()) << outcome.out;
  return json.ok() ? *json : Json();
}

int64_t CliTest::integer(const Json& object, const char* name) {
  const Json* member = object.find(name);
  EXPECT_TRUE(member != nullptr && member->as_integer() != nullptr) << name;
  return member != nullptr && member->as_integer() != nullptr ? *member->as_integer() : -1;
}

double CliTest::number(const Json& object, const char* name) {
  const Json* member = object.find(name);
  EXPECT_TRUE(member != nullptr && member->as_double() != nullptr) << name;
  return member != nullptr && member->as_double() != nullptr ? *member->as_double() : -1;
}

}  // namespace kvasir::testing
