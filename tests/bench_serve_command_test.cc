// kvasir bench serve as its users see it, with a server of its own.
#include <gtest/gtest.h>

#include <string>

#include "cli_driver.h"

namespace kvasir::testing {
namespace {

class BenchServe : public CliTest {};

TEST_F(BenchServe, MeasuresAServerOfItsOwn) {
  const std::string svg = directory_.file("chart.svg");
  const Json result = run_json(
      "bench serve --json --scenario decode --scenario together --scenario restart --scenario "
      "clients --sessions 2 --tokens 8 --long 300 --clients 5 --svg " +
      svg);
  const Json::Array& scenarios = *result.find("scenarios")->as_array();
  ASSERT_EQ(scenarios.size(), 4u);
  for (const Json& one : scenarios) {
    EXPECT_EQ(integer(one, "failed"), 0);
    EXPECT_GT(number(*one.find("first_token_ms"), "p50"), 0);
  }
  EXPECT_EQ(integer(scenarios[0], "generated_tokens"), 16);
  EXPECT_LT(number(scenarios[1], "prefills"), 1.5);
  EXPECT_GT(number(scenarios[2], "restarted_cached_percent"), 50);
  EXPECT_GT(integer(scenarios[2], "reused_disk_tokens"), 0);
  EXPECT_EQ(integer(scenarios[3], "requests"), 5);
  EXPECT_NE(read_file(svg).find("restart, kvasir"), std::string::npos);
}

TEST_F(BenchServe, SaysWhatIsWrongWithAServer) {
  const Outcome nobody = run("bench serve --url http://127.0.0.1:1 --scenario decode --patience 0");
  EXPECT_EQ(nobody.exit_status, 1);
  EXPECT_NE(nobody.err.find("cannot reach the server"), std::string::npos) << nobody.err;
  const Outcome not_started = run("bench serve --model " + directory_.file("none"));
  EXPECT_EQ(not_started.exit_status, 1);
  EXPECT_NE(not_started.err.find("none"), std::string::npos) << not_started.err;
  EXPECT_EQ(run("bench serve --url ftp://a").exit_status, 1);
  EXPECT_EQ(run("bench serve --scenario none").exit_status, 2);
  EXPECT_EQ(run("bench serve --restart x").exit_status, 2);
}

}  // namespace
}  // namespace kvasir::testing
