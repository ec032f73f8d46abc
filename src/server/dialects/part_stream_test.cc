#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "server/dialects/openai_test_support.h"

namespace kvasir::server {
namespace {

// The deltas of a stream joined are the whole reply, in the dialects that say it in parts.

std::vector<SampledToken> random_tokens(Random& random) {
  std::vector<SampledToken> tokens(static_cast<size_t>(random.below(3)));
  for (SampledToken& token : tokens) {
    token = {.id = static_cast<int32_t>(random.below(300)),
             .logprob = static_cast<float>(-random.unit())};
  }
  return tokens;
}

// Up to three calls, cut anywhere; the last of them may never be over.
void add_calls(Random& random, std::vector<ServiceEvent>& events) {
  const std::string arguments = R"({"input": "a\\n\ud83d\ude00", "b": [1, {}]})";
  const int64_t count = 1 + random.below(3);
  for (int64_t i = 0; i < count; ++i) {
    events.push_back(call_event({{.index = i, .name = random.below(2) == 0 ? "f" : "sh"}}));
    for (size_t at = 0; at < arguments.size();) {
      const auto bytes = static_cast<size_t>(1 + random.below(9));
      events.push_back(call_event({{.index = i, .arguments = arguments.substr(at, bytes)}}));
      at += bytes;
    }
    const bool is_over = i + 1 < count || random.below(2) == 0;
    if (is_over) events.push_back(call_event({{.index = i, .is_over = true}}));
  }
}

std::vector<ServiceEvent> random_events(Random& random, bool has_logprobs) {
  const std::vector<std::string> texts = {
      "", "", "a", "\n\n", "\"é\"", "data: x", "\xf0\x9f\x98\x80"};
  std::vector<ServiceEvent> events;
  events.push_back({.kind = ServiceEvent::Kind::kStarted});
  for (int64_t count = random.below(9); count > 0; --count) {
    events.push_back(piece_event(random.pick(texts), random.pick(texts)));
    if (has_logprobs) events.back().piece.tokens = random_tokens(random);
  }
  const StopReason reasons[] = {StopReason::kEndOfText, StopReason::kTokenLimit,
                                StopReason::kStopString, StopReason::kToolCalls};
  const bool has_calls = random.below(2) == 0;
  if (has_calls) add_calls(random, events);
  events.push_back(end_event(has_calls ? "" : random.pick(texts), reasons[random.below(4)]));
  if (has_logprobs) events.back().piece.tokens = random_tokens(random);
  return events;
}

std::string played(const Dialect& dialect, const std::string& body,
                   const std::vector<ServiceEvent>& events) {
  const auto reply = dialect.reply(good_call(dialect, body), probe_facts());
  std::string out = reply->begin();
  for (const ServiceEvent& event : events) out += reply->event(0, event);
  return out + reply->finish(probe_usage());
}

Json whole_reply(const Dialect& dialect, const std::string& fields,
                 const std::vector<ServiceEvent>& events) {
  return *Json::parse(played(dialect, "{" + fields + "}", events), "whole");
}

std::vector<Json> streamed_reply(const Dialect& dialect, const std::string& fields,
                                 const std::vector<ServiceEvent>& events) {
  return stream_objects(played(dialect, "{" + fields + R"(,"stream":true})", events));
}

std::string text_in(const Json& object, std::string_view name) {
  const Json* value = object.find(name);
  return value == nullptr || value->as_string() == nullptr ? "" : *value->as_string();
}

// Kind, text, signature and call of one block, as clients put it together.
struct Block {
  std::string type;
  std::string text;
  std::string signature;
  std::string call;
  bool operator==(const Block&) const = default;
};

void add(const Json& object, Block& block) {
  block.text += text_in(object, "text") + text_in(object, "thinking");
  block.signature += text_in(object, "signature");
  block.text += text_in(object, "partial_json");
  block.call += text_in(object, "id") + text_in(object, "name");
}

// A call's text is JSON when all of it is there.
void parse_input(Block& block) {
  if (block.type == "tool_use") block.text = Json::parse(block.text, "input")->dump();
}

std::vector<Block> joined_blocks(const std::vector<Json>& events) {
  std::vector<Block> blocks;
  for (const Json& event : events) {
    if (const Json* start = event.find("content_block")) {
      EXPECT_EQ(*event.find("index")->as_integer(), std::ssize(blocks));
      blocks.push_back({.type = text_in(*start, "type")});
      add(*start, blocks.back());
    } else if (const Json* index = event.find("index")) {
      EXPECT_EQ(*index->as_integer(), std::ssize(blocks) - 1);
      if (const Json* delta = event.find("delta")) add(*delta, blocks.back());
    }
  }
  for (Block& block : blocks) parse_input(block);
  return blocks;
}

TEST(PartStreamTest, DeltasOfAMessageJoinedAreTheWholeOne) {
  Random random(1);
  const std::string fields = R"("messages":[{"role":"user","content":"hi"}],)"
                             R"("tools":[{"name":"f"},{"name":"sh"}])";
  for (int round = 0; round < 50; ++round) {
    const std::vector<ServiceEvent> events = random_events(random, false);
    const Json whole = whole_reply(messages(), fields, events);
    std::vector<Block> expected;
    for (const Json& block : *whole.find("content")->as_array()) {
      expected.push_back({.type = text_in(block, "type")});
      add(block, expected.back());
      if (const Json* input = block.find("input")) expected.back().text = input->dump();
    }
    const std::vector<Json> streamed = streamed_reply(messages(), fields, events);
    EXPECT_EQ(joined_blocks(streamed), expected);
    const Json& last = streamed.at(streamed.size() - 2);
    EXPECT_EQ(last.find("usage")->dump(), whole.find("usage")->dump());
    EXPECT_EQ(last.find("delta")->find("stop_reason")->dump(), whole.find("stop_reason")->dump());
  }
}

// What one item's deltas say.
struct Item {
  std::string text;
  Json::Array logprobs;
};

std::vector<Item> joined_items(const std::vector<Json>& events) {
  std::vector<Item> items;
  for (const Json& event : events) {
    const std::string type = text_in(event, "type");
    if (type == "response.output_item.added") {
      EXPECT_EQ(*event.find("output_index")->as_integer(), std::ssize(items));
      items.emplace_back();
    } else if (type.ends_with(".delta")) {
      EXPECT_EQ(*event.find("output_index")->as_integer(), std::ssize(items) - 1);
      items.back().text += text_in(event, "delta");
      const Json* logprobs = event.find("logprobs");
      for (const Json& token : logprobs == nullptr ? Json::Array{} : *logprobs->as_array()) {
        items.back().logprobs.push_back(token);
      }
    }
  }
  return items;
}

TEST(PartStreamTest, DeltasOfAResponseJoinedAreTheWholeOne) {
  Random random(2);
  for (int round = 0; round < 50; ++round) {
    const bool has_logprobs = random.below(2) == 0;
    const std::string fields =
        std::string(R"("input":"hi","tools":[{"type":"function","name":"f"},)"
                    R"({"type":"custom","name":"sh"}])") +
        (has_logprobs ? R"(,"include":["message.output_text.logprobs"])" : "");
    const std::vector<ServiceEvent> events = random_events(random, has_logprobs);
    const Json whole = whole_reply(responses(), fields, events);
    const std::vector<Json> streamed = streamed_reply(responses(), fields, events);
    EXPECT_EQ(streamed.back().find("response")->dump(), whole.dump());
    const std::vector<Item> items = joined_items(streamed);
    const Json::Array& expected = *whole.find("output")->as_array();
    ASSERT_EQ(items.size(), expected.size());
    for (size_t i = 0; i < items.size(); ++i) {
      if (expected[i].find("content") == nullptr) {
        EXPECT_EQ(items[i].text, text_in(expected[i], "arguments") + text_in(expected[i], "input"));
        continue;
      }
      const Json& content = expected[i].find("content")->as_array()->at(0);
      EXPECT_EQ(items[i].text, text_in(content, "text"));
      const Json* logprobs = content.find("logprobs");
      if (logprobs == nullptr) continue;
      EXPECT_EQ(Json(items[i].logprobs).dump(), logprobs->dump());
    }
    for (size_t i = 0; i < streamed.size(); ++i) {
      EXPECT_EQ(*streamed[i].find("sequence_number")->as_integer(), static_cast<int64_t>(i));
    }
  }
}

}  // namespace
}  // namespace kvasir::server
