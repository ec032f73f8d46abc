// These functions feed a dialect from bytes, for tests of what OpenAI's clients send and read.
// They own nothing; one thread.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "server/dialect.h"

namespace kvasir::server {

inline Result<Call> read_call(const Dialect& dialect, std::string_view body) {
  const Result<Json> json = Json::parse(body, "test");
  EXPECT_TRUE(json.ok()) << body;
  const auto no_header = [](std::string_view) -> const std::string* { return nullptr; };
  return dialect.read(*json, no_header);
}

inline Call good_call(const Dialect& dialect, std::string_view body) {
  Result<Call> call = read_call(dialect, body);
  EXPECT_TRUE(call.ok()) << body << ": " << call.error().message();
  return call.ok() ? *std::move(call) : Call{};
}

// One line a message: role, reasoning, parts, calls.
inline std::string told(const Call& call) {
  constexpr const char* kNames[] = {"system", "developer", "user", "assistant", "tool", "reminder"};
  std::string text;
  for (const Message& message : call.messages) {
    text += kNames[static_cast<int>(message.role)];
    if (!message.call_id.empty()) text += "(" + message.call_id + ")";
    if (!message.reasoning.empty()) text += " <" + message.reasoning + ">";
    for (const std::string& part : message.parts) text += " [" + part + "]";
    for (const ToolCall& one : message.calls) {
      text += " " + one.id + "=" + one.name + one.arguments;
    }
    text += "\n";
  }
  return text;
}

// A body that is refused, and the field that its error names.
struct RefusedBody {
  std::string body;
  std::string field;
};
inline void expect_refused(const Dialect& dialect, const std::vector<RefusedBody>& bodies) {
  for (const auto& [body, field] : bodies) {
    const Result<Call> call = read_call(dialect, body);
    ASSERT_FALSE(call.ok()) << body;
    EXPECT_EQ(call.error().kind, ErrorKind::kUsage) << body;
    EXPECT_EQ(call.error().field, field) << body << ": " << call.error().message();
    EXPECT_FALSE(call.error().what.empty()) << body;
  }
}

// Token 1 is "<1>" and so on; 0xe2 is the first byte of a character of three.
inline std::string probe_token_text(int32_t id) {
  return id == 0xe2 ? "\xe2" : "<" + std::to_string(id) + ">";
}
inline ReplyFacts probe_facts() {
  return {.id = "00ff",
          .created_s = 1'700'000'000,
          .model = "tiny",
          .fingerprint = "fp",
          .prompt_tokens = {7},
          .token_text = probe_token_text};
}

inline ServiceEvent piece_event(std::string answer, std::string reasoning = {},
                                std::vector<SampledToken> tokens = {}) {
  return {.kind = ServiceEvent::Kind::kPiece,
          .piece = {.reasoning = std::move(reasoning),
                    .answer = std::move(answer),
                    .tokens = std::move(tokens)}};
}
inline ServiceEvent call_event(std::vector<CallPiece> calls) {
  ServiceEvent event = piece_event("");
  event.piece.calls = std::move(calls);
  return event;
}
inline ServiceEvent end_event(std::string answer, StopReason reason) {
  ServiceEvent event = piece_event(std::move(answer));
  event.kind = ServiceEvent::Kind::kEnded;
  event.stop_reason = reason;
  return event;
}

inline ServiceUsage probe_usage() {
  return {.prompt_tokens = 7,
          .reused_ram_tokens = 3,
          .reused_disk_tokens = 2,
          .computed_tokens = 2,
          .generated_tokens = 4,
          .reasoning_tokens = 1};
}
inline constexpr std::string_view kProbeUsage =
    R"({"prompt_tokens":7,"completion_tokens":4,"total_tokens":11,)"
    R"("prompt_tokens_details":{"cached_tokens":5,"cache_write_tokens":0},)"
    R"("completion_tokens_details":{"reasoning_tokens":1},)"
    R"("prompt_cache_hit_tokens":5,"prompt_cache_miss_tokens":2})";

// The objects of a stream that is whole frames; comments and [DONE] are left out. A named event is
// of the type that its name says.
inline std::vector<Json> stream_objects(std::string_view stream) {
  std::vector<Json> objects;
  while (!stream.empty()) {
    const size_t end = stream.find("\n\n");
    EXPECT_NE(end, stream.npos) << stream;
    if (end == stream.npos) break;
    std::string_view frame = stream.substr(0, end);
    stream.remove_prefix(end + 2);
    std::string_view name;
    if (frame.starts_with("event: ")) {
      name = frame.substr(7, frame.find('\n') - 7);
      frame.remove_prefix(name.size() + 8);
    }
    if (frame.starts_with(": ") || frame == "data: [DONE]") continue;
    EXPECT_TRUE(frame.starts_with("data: {")) << frame;
    objects.push_back(*Json::parse(frame.substr(6), "stream"));
    if (!name.empty()) {
      EXPECT_EQ(*objects.back().find("type")->as_string(), name);
    }
  }
  return objects;
}

}  // namespace kvasir::server
