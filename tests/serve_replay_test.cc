// Conversations that clients send back. The server tells the model what it said, so that only new
// tokens are computed, also after it was killed and started again. Without reasoning, of which a
// random model may come to no end; what clients change is replay_table_test's.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/json.h"
#include "http_client.h"
#include "server_process.h"
#include "temp_directory.h"

namespace kvasir {
namespace {

using testing::ask_http;
using testing::ServerProcess;

constexpr const char* kTools =
    R"([{"type":"function","function":{"name":"look","description":"looks somewhere",)"
    R"("parameters":{"type":"object","properties":{"at":{"type":"string"}}}}}])";
constexpr const char* kMessagesTools =
    R"([{"name":"look","description":"looks somewhere",)"
    R"("input_schema":{"type":"object","properties":{"at":{"type":"string"}}}}])";

const Json* at(const Json* json, std::initializer_list<const char*> path) {
  for (const char* name : path) {
    if (json == nullptr) return nullptr;
    const Json::Array* array = json->as_array();
    json = array != nullptr ? (array->empty() ? nullptr : &array->front()) : json->find(name);
    if (array != nullptr && json != nullptr) json = json->find(name);
  }
  return json;
}

int64_t integer_at(const Json& json, std::initializer_list<const char*> path) {
  const Json* found = at(&json, path);
  EXPECT_TRUE(found != nullptr && found->as_integer() != nullptr) << json.dump();
  return found == nullptr || found->as_integer() == nullptr ? -1 : *found->as_integer();
}

Json ask(const ServerProcess& server, const char* path, const Json& body) {
  const testing::HttpAnswer answer = ask_http(server.port(), path, body.dump());
  EXPECT_EQ(answer.status, 200) << answer.body;
  return Json::parse(answer.body, "an answer").value();
}

Json parsed(const char* text) { return Json::parse(text, "a test").value(); }

// One turn of a conversation and what it cost.
struct Turn {
  Json reply;
  int64_t prompt_tokens = 0;
  int64_t generated_tokens = 0;
  int64_t cached_tokens = 0;
  int64_t end() const { return prompt_tokens + generated_tokens; }
};

// A reply without markers has no end before its tokens are spent.
Json no_markers() {
  Json::Object biases = {{"0", -100}, {"1", -100}};
  for (int id = 4079; id <= 4095; ++id) biases.emplace_back(std::to_string(id), -100);
  return biases;
}

Turn chat(const ServerProcess& server, Json::Array messages, Json::Object asked = {}) {
  if (asked.empty()) asked = {{"logit_bias", no_markers()}};
  asked.emplace_back("messages", std::move(messages));
  asked.emplace_back("tools", parsed(kTools));
  asked.emplace_back("thinking", parsed(R"({"type":"disabled"})"));
  asked.emplace_back("max_tokens", 200);
  const Json reply = ask(server, "/v1/chat/completions", std::move(asked));
  return {.reply = reply,
          .prompt_tokens = integer_at(reply, {"usage", "prompt_tokens"}),
          .generated_tokens = integer_at(reply, {"usage", "completion_tokens"}),
          .cached_tokens = integer_at(reply, {"usage", "prompt_tokens_details", "cached_tokens"})};
}

Json message_of(const char* role, Json content) {
  return Json::Object{{"role", role}, {"content", std::move(content)}};
}

// What most agents make of an answer: its text and its calls, no reasoning.
Json without_reasoning(const Json& reply) {
  const Json* message = at(&reply, {"choices", "message"});
  Json::Object kept;
  for (const auto& [name, value] : *message->as_object()) {
    if (name == "role" || name == "content" || name == "tool_calls") kept.emplace_back(name, value);
  }
  return kept;
}

Json::Array first_question() {
  return {message_of("system", "You are brief."), message_of("user", "What is the dog called?")};
}

Json::Array second_question(const Json& reply) {
  Json::Array messages = first_question();
  messages.push_back(without_reasoning(reply));
  messages.push_back(message_of("user", "And the cat?"));
  return messages;
}

class ServeReplayTest : public ::testing::Test {
 protected:
  std::vector<std::string> arguments() const { return {"--store", directory_.file("store")}; }

  testing::TempDirectory directory_;
};

TEST_F(ServeReplayTest, ATurnGoesOnFromWhatTheModelSaid) {
  ServerProcess server(arguments());
  const Turn first = chat(server, first_question());
  const Turn second = chat(server, second_question(first.reply));
  // The newest sampled token was not computed yet.
  EXPECT_GE(second.cached_tokens, first.end() - 1);
  EXPECT_GT(second.prompt_tokens, first.end()) << "the question is new";
}

TEST_F(ServeReplayTest, AlsoAfterAKill) {
  Turn first;
  {
    ServerProcess server(arguments());
    first = chat(server, first_question());
    testing::wait_until_saved(server.port());
    server.kill();
  }
  ServerProcess server(arguments());
  const Turn second = chat(server, second_question(first.reply));
  ASSERT_GT(first.generated_tokens, 128) << "a block behind the first prompt";
  EXPECT_GE(second.cached_tokens, (first.end() - 1) / 128 * 128);
}

// Its block is opened by the prompt, and belongs to the turn all the same.
TEST_F(ServeReplayTest, ACallThatWasDemandedToo) {
  ServerProcess server(arguments());
  const Json::Object demand = {
      {"tool_choice", parsed(R"({"type":"function","function":{"name":"look"}})")},
      {"guided_json", parsed(R"({"type":"object","properties":{"at":{"const":"the kennel"}},)"
                             R"("required":["at"],"additionalProperties":false})")}};
  const Turn first = chat(server, first_question(), demand);
  const Json* call = at(&first.reply, {"choices", "message", "tool_calls", "id"});
  ASSERT_NE(call, nullptr) << first.reply.dump();
  Json::Array messages = first_question();
  messages.push_back(without_reasoning(first.reply));
  messages.push_back(
      Json::Object{{"role", "tool"}, {"tool_call_id", *call}, {"content", "It is empty."}});
  const Turn second = chat(server, std::move(messages), demand);
  EXPECT_GE(second.cached_tokens, first.end() - 1);
}

TEST_F(ServeReplayTest, WhatTheClientChangedIsToldAsItWrites) {
  ServerProcess server(arguments());
  const Turn first = chat(server, first_question());
  Json::Array messages = first_question();
  messages.push_back(message_of("assistant", "It is called Pepper, of course."));
  messages.push_back(message_of("user", "And the cat?"));
  const Turn second = chat(server, std::move(messages));
  EXPECT_LE(second.cached_tokens, first.prompt_tokens);
}

TEST_F(ServeReplayTest, MessagesComeBackAsBlocks) {
  ServerProcess server(arguments());
  const auto tell = [&](Json::Array messages) {
    return ask(server, "/v1/messages",
               Json::Object{{"messages", std::move(messages)},
                            {"tools", parsed(kMessagesTools)},
                            {"thinking", parsed(R"({"type":"disabled"})")},
                            {"max_tokens", 150}});
  };
  const Json first = tell({message_of("user", "What is the dog called?")});
  const int64_t end = integer_at(first, {"usage", "input_tokens"}) +
                      integer_at(first, {"usage", "cache_read_input_tokens"}) +
                      integer_at(first, {"usage", "output_tokens"});
  const Json second =
      tell({message_of("user", "What is the dog called?"),
            message_of("assistant", *first.find("content")), message_of("user", "And the cat?")});
  EXPECT_GE(integer_at(second, {"usage", "cache_read_input_tokens"}), end - 1);
}

TEST_F(ServeReplayTest, ResponsesComeBackAsItems) {
  ServerProcess server(arguments());
  const auto respond = [&](Json::Array input) {
    return ask(server, "/v1/responses",
               Json::Object{{"input", std::move(input)},
                            {"tools", parsed(R"([{"type":"function","name":"look",)"
                                             R"("parameters":{"type":"object"}}])")},
                            {"reasoning", parsed(R"({"effort":"none"})")},
                            {"max_output_tokens", 150}});
  };
  const Json first = respond({message_of("user", "What is the dog called?")});
  const int64_t end =
      integer_at(first, {"usage", "input_tokens"}) + integer_at(first, {"usage", "output_tokens"});
  Json::Array input = {message_of("user", "What is the dog called?")};
  for (const Json& item : *first.find("output")->as_array()) input.push_back(item);
  input.push_back(message_of("user", "And the cat?"));
  const Json second = respond(std::move(input));
  EXPECT_GE(integer_at(second, {"usage", "input_tokens_details", "cached_tokens"}), end - 1);
}

Json response_body(const char* input, Json previous) {
  return Json::Object{{"input", input},
                      {"instructions", "You are brief."},
                      {"reasoning", parsed(R"({"effort":"none"})")},
                      {"previous_response_id", std::move(previous)},
                      {"logit_bias", no_markers()},
                      {"max_output_tokens", 200}};
}

// A client that names the reply it goes on from sends the new message alone.
TEST_F(ServeReplayTest, AResponseGoesOnFromTheOneItNames) {
  Json first;
  {
    ServerProcess server(arguments());
    first = ask(server, "/v1/responses", response_body("What is the dog called?", Json()));
    testing::wait_until_saved(server.port());
    server.kill();
  }
  const ServerProcess server(arguments());
  const int64_t end = integer_at(first, {"usage", "total_tokens"});
  const Json second =
      ask(server, "/v1/responses", response_body("And the cat?", *first.find("id")));
  EXPECT_GT(integer_at(second, {"usage", "input_tokens"}), end);
  EXPECT_GE(integer_at(second, {"usage", "input_tokens_details", "cached_tokens"}),
            end / 128 * 128 - 128);
  // Two go on from one.
  const Json branch =
      ask(server, "/v1/responses", response_body("And the mouse?", *first.find("id")));
  EXPECT_GE(integer_at(branch, {"usage", "input_tokens_details", "cached_tokens"}), 128);
  const Json third = ask(server, "/v1/responses", response_body("Why?", *second.find("id")));
  EXPECT_GE(integer_at(third, {"usage", "input_tokens_details", "cached_tokens"}),
            integer_at(second, {"usage", "total_tokens"}) - 1);
}

TEST_F(ServeReplayTest, NobodyGoesOnFromWhatIsNotKeptOrNotTheirs) {
  const ServerProcess server(arguments());
  const auto with = [](Json body, const char* name, Json value) {
    Json::Object object = *body.as_object();
    object.emplace_back(name, std::move(value));
    return Json(std::move(object));
  };
  const auto status_of = [&](const Json& body) {
    const testing::HttpAnswer answer = ask_http(server.port(), "/v1/responses", body.dump());
    EXPECT_TRUE(answer.status == 200 ||
                answer.body.find("previous_response_not_found") != std::string::npos)
        << answer.body;
    return answer.status;
  };
  const Json kept = ask(server, "/v1/responses", response_body("Who?", Json()));
  const Json lost =
      ask(server, "/v1/responses", with(response_body("Who?", Json()), "store", false));
  EXPECT_EQ(status_of(response_body("Why?", *kept.find("id"))), 200);
  EXPECT_EQ(status_of(response_body("Why?", *lost.find("id"))), 400);
  EXPECT_EQ(status_of(response_body("Why?", "resp_00")), 400);
  EXPECT_EQ(status_of(with(response_body("Why?", *kept.find("id")), "cache_salt", "other")), 400);
}

}  // namespace
}  // namespace kvasir
