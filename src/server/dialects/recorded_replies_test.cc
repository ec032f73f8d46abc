#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/text_file.h"
#include "server/dialects/openai_test_support.h"

namespace kvasir::server {
namespace {

// The files of tests/data/tool_replies are what the dialects make of one reply with tool calls. The
// official clients read them in tools/clients/tool_cases.py, so that what they take is what is
// written here, though no model is there that calls tools.

std::vector<ServiceEvent> reply_with_calls(const std::string& second) {
  return {
      {.kind = ServiceEvent::Kind::kStarted},
      piece_event("", "Both, then."),
      piece_event("I look."),
      call_event({{.index = 0, .name = "weather"}}),
      call_event({{.index = 0, .arguments = "{\"city\": \"Z\xc3\xbcri"}}),
      call_event({{.index = 0, .arguments = "ch\", \"days\": 2}"}, {.index = 0, .is_over = true}}),
      call_event({{.index = 1, .name = second}}),
      call_event({{.index = 1, .arguments = "{\"input\": \"ls\\"}}),
      call_event({{.index = 1, .arguments = "n\"}"}, {.index = 1, .is_over = true}}),
      end_event("", StopReason::kToolCalls)};
}

std::string played(const Dialect& dialect, const std::string& body, const std::string& second) {
  const auto reply = dialect.reply(good_call(dialect, body), probe_facts());
  std::string out = reply->begin();
  for (const ServiceEvent& event : reply_with_calls(second)) out += reply->event(0, event);
  return out + reply->finish(probe_usage());
}

void expect_recorded(const std::string& name, const std::string& found) {
  const std::string path =
      std::string(KVASIR_SOURCE_DIR) + "/tests/data/tool_replies/" + name + ".txt";
  const Result<std::string> recorded = read_whole_file(path);
  ASSERT_TRUE(recorded.ok()) << recorded.error().message();
  EXPECT_EQ(found, *recorded) << "write what is found here to " << path
                              << " and run tools/check_clients.py --only tools";
}

void expect_recorded_both(const std::string& name, const Dialect& dialect,
                          const std::string& fields, const std::string& second) {
  expect_recorded(name + "_whole", played(dialect, "{" + fields + "}", second));
  expect_recorded(name + "_stream", played(dialect, "{" + fields + R"(,"stream":true})", second));
}

TEST(RecordedRepliesTest, AreWhatTheDialectsWrite) {
  const std::string messages_field = R"("messages":[{"role":"user","content":"hi"}],)";
  const std::string chat_tools =
      messages_field + R"("tools":[{"type":"function","function":{"name":"weather"}},)";
  expect_recorded_both("chat", chat_completions(),
                       chat_tools + R"({"type":"function","function":{"name":"shell"}}])", "shell");
  expect_recorded_both("chat_custom", chat_completions(),
                       chat_tools + R"({"type":"custom","custom":{"name":"shell"}}])", "shell");
  expect_recorded_both(
      "responses", responses(),
      R"("input":"hi","tools":[{"type":"function","name":"weather"},{"type":"namespace",)"
      R"("name":"host","tools":[{"type":"custom","name":"shell"}]}])",
      "host__shell");
  expect_recorded_both("messages", messages(),
                       messages_field + R"("tools":[{"name":"weather"},{"name":"shell"}])",
                       "shell");
}

}  // namespace
}  // namespace kvasir::server
