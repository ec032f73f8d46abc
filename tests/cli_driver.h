// Running the program in tests as a user does.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "base/json.h"
#include "temp_directory.h"

namespace kvasir::testing {

struct Outcome {
  int exit_status = -1;  // as a shell counts: 128 and the signal's number where one ended it
  std::string out;
  std::string err;
};

std::string read_file(const std::string& path);
// Of what system() and waitpid() say.
int exit_status_of(int wait_status);

class CliTest : public ::testing::Test {
 protected:
  // Arguments are shell words. `wrapper` stands before the program, "timeout 1" for example.
  Outcome run(const std::string& arguments, const std::string& input = "",
              const std::string& wrapper = "");

  // Runs a program that does not end by itself and sends it the signal after a while. A machine may
  // be slow: where `has_begun` is false of what was printed by then, the program is run again with
  // more time. Fails where two minutes are not enough.
  Outcome run_until_signal(const std::string& signal, const std::string& arguments,
                           const std::string& input, bool (*has_begun)(const Outcome&));

  // What it prints when it succeeds; --json is among the arguments.
  Json run_json(const std::string& arguments, const std::string& input = "");

  // A member of an object that must be there.
  static int64_t integer(const Json& object, const char* name);
  static double number(const Json& object, const char* name);

  const std::string golden_ = std::string(KVASIR_SOURCE_DIR) + "/tests/golden/tiny-mixed";
  TempDirectory directory_;
};

}  // namespace kvasir::testing
