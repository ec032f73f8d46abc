#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/random.h"
#include "server/dialects/openai_test_support.h"

namespace kvasir::server {
namespace {

// A stream and a whole reply of the same events say the same.

struct Choice {
  std::string text;
  std::string reasoning;
  std::string finish_reason;
  std::vector<std::string> calls;  // id, name and arguments of each
  std::map<std::string, Json::Array> logprobs;
};

void add_string(const Json& object, std::string_view name, std::string& text) {
  const Json* value = object.find(name);
  if (value != nullptr && value->as_string() != nullptr) text += *value->as_string();
}

// Those of a delta say which they go on.
void add_calls(const Json::Array& calls, std::vector<std::string>& sum) {
  for (const Json& call : calls) {
    const Json* index = call.find("index");
    const size_t at = index == nullptr ? sum.size() : static_cast<size_t>(*index->as_integer());
    if (at == sum.size()) sum.emplace_back();
    add_string(call, "id", sum.at(at));
    for (const char* kind : {"function", "custom"}) {
      const Json* members = call.find(kind);
      if (members == nullptr) continue;
      for (const char* name : {"name", "arguments", "input"}) add_string(*members, name, sum[at]);
    }
  }
}

// `text_holder` is the delta, the message, or of Completions the choice itself.
void add(const Json& choice, const Json& text_holder, Choice& sum) {
  add_string(text_holder, "content", sum.text);
  add_string(text_holder, "text", sum.text);
  add_string(text_holder, "reasoning_content", sum.reasoning);
  add_string(choice, "finish_reason", sum.finish_reason);
  if (const Json* calls = text_holder.find("tool_calls")) add_calls(*calls->as_array(), sum.calls);
  const Json* logprobs = choice.find("logprobs");
  if (logprobs->as_object() == nullptr) return;
  for (const auto& [name, list] : *logprobs->as_object()) {
    if (list.as_array() == nullptr) continue;
    Json::Array& all = sum.logprobs[name];
    all.insert(all.end(), list.as_array()->begin(), list.as_array()->end());
  }
}

std::vector<Choice> choices_of(const std::vector<Json>& objects, size_t count) {
  std::vector<Choice> choices(count);
  for (const Json& object : objects) {
    for (const Json& choice : *object.find("choices")->as_array()) {
      const auto index = static_cast<size_t>(*choice.find("index")->as_integer());
      const Json* delta = choice.find("delta");
      const Json* message = choice.find("message");
      const Json* holder = delta != nullptr ? delta : message;
      add(choice, holder != nullptr ? *holder : choice, choices.at(index));
    }
  }
  return choices;
}

std::vector<SampledToken> random_tokens(Random& random) {
  std::vector<SampledToken> tokens(static_cast<size_t>(random.below(3)));
  for (SampledToken& token : tokens) {
    const float logprob = static_cast<float>(-random.unit());
    token = {.id = static_cast<int32_t>(random.below(300)), .logprob = logprob};
    token.most_likely = {{.id = static_cast<int32_t>(random.below(300)), .logprob = logprob / 2}};
  }
  return tokens;
}

// Calls end an answer.
void add_random_calls(Random& random, GenerationPiece& piece) {
  const std::string arguments = R"({"input": "a\\n\u00e9"})";
  for (int64_t i = random.below(3); i > 0; --i) {
    const int64_t index = piece.calls.empty() ? 0 : piece.calls.back().index + 1;
    const auto cut = static_cast<size_t>(random.below(std::ssize(arguments)));
    piece.calls.push_back({.index = index, .name = random.below(2) == 0 ? "f" : "sh"});
    piece.calls.push_back({.index = index, .arguments = arguments.substr(0, cut)});
    piece.calls.push_back({.index = index, .arguments = arguments.substr(cut), .is_over = true});
  }
}

using Events = std::vector<std::pair<int64_t, ServiceEvent>>;

Events random_events(Random& random, int64_t prompts, int64_t answers, bool has_logprobs,
                     bool has_calls = false) {
  const std::vector<std::string> texts = {"", "a", "\n\n", "\"é\"", "data: x", "\xf0\x9f\x98\x80"};
  Events events;
  std::vector<int64_t> running;
  for (int64_t prompt = 0; prompt < prompts; ++prompt) {
    ServiceEvent started{.kind = ServiceEvent::Kind::kStarted};
    if (has_logprobs) started.prompt_logprobs = random_tokens(random);
    events.emplace_back(prompt * answers, std::move(started));
    for (int64_t i = 0; i < answers; ++i) running.push_back(prompt * answers + i);
  }
  while (!running.empty()) {
    const int64_t choice = random.pick(running);
    ServiceEvent event = piece_event(random.pick(texts), random.pick(texts));
    if (has_logprobs) event.piece.tokens = random_tokens(random);
    if (random.below(8) == 0) {
      event.kind = ServiceEvent::Kind::kEnded;
      event.stop_reason = random.below(2) == 0 ? StopReason::kEndOfText : StopReason::kTokenLimit;
      if (has_calls) add_random_calls(random, event.piece);
      std::erase(running, choice);
    }
    events.emplace_back(choice, std::move(event));
  }
  return events;
}

std::string played(const Dialect& dialect, const std::string& body, const Events& events) {
  ReplyFacts facts = probe_facts();
  facts.prompt_texts = {"<1>é", "<2>"};
  const auto reply = dialect.reply(good_call(dialect, body), std::move(facts));
  std::string out = reply->begin();
  for (const auto& [choice, event] : events) out += reply->event(choice, event);
  return out + reply->finish(probe_usage());
}

void expect_equal(const Dialect& dialect, const std::string& fields, const Events& events,
                  size_t choice_count) {
  const std::string stream = played(
      dialect, "{" + fields + R"(,"stream":true,"stream_options":{"include_usage":true}})", events);
  EXPECT_TRUE(stream.ends_with("\n\ndata: [DONE]\n\n"));
  const std::vector<Json> chunks = stream_objects(stream);
  const Json whole = *Json::parse(played(dialect, "{" + fields + "}", events), "whole");
  const std::vector<Choice> joined = choices_of(chunks, choice_count);
  const std::vector<Choice> expected = choices_of({whole}, choice_count);
  for (size_t i = 0; i < choice_count; ++i) {
    EXPECT_EQ(joined[i].text, expected[i].text);
    EXPECT_EQ(joined[i].reasoning, expected[i].reasoning);
    EXPECT_EQ(joined[i].finish_reason, expected[i].finish_reason);
    EXPECT_EQ(joined[i].calls, expected[i].calls);
    for (const auto& [name, list] : expected[i].logprobs) {
      const auto found = joined[i].logprobs.find(name);
      const Json::Array streamed =
          found == joined[i].logprobs.end() ? Json::Array{} : found->second;
      EXPECT_EQ(Json(streamed).dump(), Json(list).dump()) << name;
    }
  }
  EXPECT_EQ(chunks.back().find("usage")->dump(), whole.find("usage")->dump());
}

constexpr int kRounds = 50;

TEST(OpenAiStreamTest, DeltasOfAChatJoinedAreTheWholeReply) {
  Random random(1);
  for (int round = 0; round < kRounds; ++round) {
    const int64_t answers = 1 + random.below(3);
    const bool has_logprobs = random.below(2) == 0;
    const std::string fields = R"("messages":[{"role":"user"}],"tools":[{"function":{"name":"f"}},)"
                               R"({"type":"custom","custom":{"name":"sh"}}],"n":)" +
                               std::to_string(answers) +
                               (has_logprobs ? R"(,"logprobs":true)" : "");
    expect_equal(chat_completions(), fields, random_events(random, 1, answers, has_logprobs, true),
                 static_cast<size_t>(answers));
  }
}

TEST(OpenAiStreamTest, PiecesOfCompletionsJoinedAreTheWholeReply) {
  Random random(2);
  for (int round = 0; round < kRounds; ++round) {
    const int64_t answers = 1 + random.below(3);
    const bool has_logprobs = random.below(2) == 0;
    const std::string fields = R"("prompt":["x","y"],"n":)" + std::to_string(answers) +
                               (random.below(2) == 0 ? R"(,"echo":true)" : "") +
                               (has_logprobs ? R"(,"logprobs":1)" : "");
    expect_equal(completions(), fields, random_events(random, 2, answers, has_logprobs),
                 static_cast<size_t>(2 * answers));
  }
}

}  // namespace
}  // namespace kvasir::server
