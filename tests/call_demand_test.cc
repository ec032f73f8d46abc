// Calls that are demanded, over sockets, in each form in which models write calls: the bundled
// model, which knows nothing of tools, with chat templates of other families.
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/text_file.h"
#include "engine_driver.h"
#include "random_tools.h"
#include "sanitized.h"
#include "server/http_test_support.h"
#include "server/server.h"
#include "temp_directory.h"

namespace kvasir {
namespace {

using server::Server;
using server::testing::TestClient;
using server::testing::TestResponse;

constexpr const char* kChat = "/v1/chat/completions";
constexpr const char* kResponses = "/v1/responses";
constexpr const char* kMessages = "/v1/messages";
constexpr const char* kRoutes[] = {kChat, kResponses, kMessages};

struct FormCase {
  const char* name;
  const char* in_template;  // what the template says of calls; null: there is no template
  // Added tokens that become markers of calls.
  std::vector<std::pair<const char*, const char*>> renamed = {};
};

const FormCase kForms[] = {
    {"DeepSeek", nullptr},
    {"Tagged", "<tool_call>"},
    {"TaggedByMarkers",
     "<tool_call>",
     {{"<｜title｜>", "<tool_call>"}, {"<｜action｜>", "</tool_call>"}}},
    {"Bare", "{\"name\": \"parameters\": "},
    {"BareWithMarker", "{\"name\": \"parameters\": ", {{"<｜title｜>", "<|python_tag|>"}}},
    {"Listed", "[TOOL_CALLS]"},
    {"ListedByMarker", "[TOOL_CALLS]", {{"<｜title｜>", "[TOOL_CALLS]"}}},
    {"NamedByMarkers",
     "[TOOL_CALLS][ARGS]",
     {{"<｜title｜>", "[TOOL_CALLS]"}, {"<｜action｜>", "[ARGS]"}}},
    {"Named", "[TOOL_CALLS][ARGS]"},
};

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (size_t at = 0; (at = text.find(from, at)) != text.npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
}

// The bundled model with a template, and with other names of its markers.
std::string model_of(const FormCase& form, const testing::TempDirectory& directory) {
  const std::string bundled = std::string(KVASIR_SOURCE_DIR) + "/models/kvasir-tiny";
  if (form.in_template == nullptr) return bundled;
  for (const char* file : {"config.json", "generation_config.json", "model.safetensors"}) {
    std::filesystem::create_symlink(bundled + "/" + file, directory.file(file));
  }
  std::string tokenizer = *read_text_file(bundled + "/tokenizer.json");
  for (const auto& [from, to] : form.renamed) replace_all(tokenizer, from, to);
  testing::write_file(directory.file("tokenizer.json"), tokenizer);
  const Json config = Json::Object{
      {"chat_template",
       std::string("{% set form = '") + form.in_template +
           "' %}{% if tools %}{{ tools | tojson }}{% endif %}{% for message in messages %}"
           "<｜User｜>{{ message.content }}{% endfor %}<｜Assistant｜>"}};
  testing::write_file(directory.file("tokenizer_config.json"), config.dump());
  return directory.path();
}

struct Made {
  std::string name;
  Json arguments;
};
struct Reply {
  std::vector<Made> calls;
  std::string text;
  bool is_whole = false;  // not cut by the limit
};

const Json& at(const Json& json, std::initializer_list<const char*> names) {
  static const Json kNull;
  const Json* found = &json;
  for (const char* name : names) found = found != nullptr ? found->find(name) : nullptr;
  return found != nullptr ? *found : kNull;
}
std::string text_at(const Json& json, std::initializer_list<const char*> names) {
  const std::string* const text = at(json, names).as_string();
  return text != nullptr ? *text : "";
}
const Json::Array& list_at(const Json& json, std::initializer_list<const char*> names) {
  static const Json::Array kNone;
  const Json::Array* const list = at(json, names).as_array();
  return list != nullptr ? *list : kNone;
}

Json parsed(const std::string& text) {
  Result<Json> json = Json::parse(text, "reply");
  EXPECT_TRUE(json.ok()) << text;
  return json.ok() ? *std::move(json) : Json();
}

// Arguments of a call that was cut off are no JSON.
Json arguments_of(const std::string& text) {
  Result<Json> json = Json::parse(text, "arguments");
  return json.ok() ? *std::move(json) : Json(text);
}

std::vector<Json> events_of(const std::string& stream) {
  std::vector<Json> events;
  for (size_t at = 0; (at = stream.find("data: {", at)) != stream.npos;) {
    const size_t end = stream.find('\n', at);
    events.push_back(parsed(stream.substr(at + 6, end - at - 6)));
    at = end;
  }
  return events;
}

Reply read_chat(const std::string& body, bool is_streamed) {
  Reply reply;
  std::map<int64_t, std::pair<std::string, std::string>> calls;
  for (const Json& event : is_streamed ? events_of(body) : std::vector{parsed(body)}) {
    if (list_at(event, {"choices"}).empty()) continue;
    const Json& choice = list_at(event, {"choices"}).front();
    const Json& message = at(choice, {is_streamed ? "delta" : "message"});
    reply.text += text_at(message, {"content"});
    int64_t index = 0;
    for (const Json& call : list_at(message, {"tool_calls"})) {
      if (at(call, {"index"}).as_integer() != nullptr) index = *at(call, {"index"}).as_integer();
      calls[index].first += text_at(call, {"function", "name"});
      calls[index].second += text_at(call, {"function", "arguments"});
      ++index;
    }
    const std::string finish = text_at(choice, {"finish_reason"});
    if (!finish.empty()) reply.is_whole = finish != "length";
    EXPECT_TRUE(finish != "tool_calls" || !calls.empty()) << body;
  }
  for (const auto& [index, call] : calls) {
    reply.calls.push_back({call.first, arguments_of(call.second)});
  }
  return reply;
}

Reply read_responses(const std::string& body, bool is_streamed) {
  Json whole = is_streamed ? Json() : parsed(body);
  if (is_streamed) {
    for (const Json& event : events_of(body)) {
      if (at(event, {"response", "output"}).as_array() != nullptr) whole = at(event, {"response"});
    }
  }
  Reply reply{.is_whole = text_at(whole, {"status"}) == "completed"};
  for (const Json& item : list_at(whole, {"output"})) {
    if (text_at(item, {"type"}) == "function_call") {
      reply.calls.push_back({text_at(item, {"name"}), arguments_of(text_at(item, {"arguments"}))});
    }
    if (text_at(item, {"type"}) != "message") continue;
    for (const Json& part : list_at(item, {"content"})) reply.text += text_at(part, {"text"});
  }
  return reply;
}

Reply read_messages(const std::string& body, bool is_streamed) {
  Reply reply;
  if (!is_streamed) {
    const Json whole = parsed(body);
    reply.is_whole = text_at(whole, {"stop_reason"}) != "max_tokens";
    for (const Json& part : list_at(whole, {"content"})) {
      reply.text += text_at(part, {"text"});
      if (text_at(part, {"type"}) != "tool_use") continue;
      reply.calls.push_back({text_at(part, {"name"}), at(part, {"input"})});
    }
    return reply;
  }
  std::vector<std::pair<std::string, std::string>> calls;
  for (const Json& event : events_of(body)) {
    if (text_at(event, {"content_block", "type"}) == "tool_use") {
      calls.emplace_back(text_at(event, {"content_block", "name"}), "");
    }
    reply.text += text_at(event, {"delta", "text"});
    if (!calls.empty()) calls.back().second += text_at(event, {"delta", "partial_json"});
    const std::string stop = text_at(event, {"delta", "stop_reason"});
    if (!stop.empty()) reply.is_whole = stop != "max_tokens";
  }
  for (const auto& [name, arguments] : calls) {
    reply.calls.push_back({name, arguments_of(arguments)});
  }
  return reply;
}

Reply read_reply(std::string_view route, const std::string& body, bool is_streamed) {
  if (route == kChat) return read_chat(body, is_streamed);
  return route == kResponses ? read_responses(body, is_streamed) : read_messages(body, is_streamed);
}

struct Asked {
  std::string_view route = kChat;
  Json::Object more = {};  // members of the body
  int64_t seed = 0;
  bool is_streamed = false;
  int tokens_max = 400;
  double temperature = 1;
};

Json tool_of(std::string_view route, const std::string& name, const Json& schema,
             bool is_strict = false) {
  Json::Object tool = {{"name", name}, {"strict", is_strict}};
  tool.emplace_back(route == kMessages ? "input_schema" : "parameters", schema);
  if (route == kMessages) return tool;
  if (route == kResponses) {
    tool.emplace_back("type", "function");
    return tool;
  }
  return Json::Object{{"type", "function"}, {"function", std::move(tool)}};
}

std::string body_of(const Asked& asked) {
  Json::Object body = {
      {"temperature", asked.temperature}, {"seed", asked.seed}, {"stream", asked.is_streamed}};
  const Json message = Json::Object{{"role", "user"}, {"content", "Hi"}};
  if (asked.route == kResponses) {
    body.emplace_back("input", "Hi");
    body.emplace_back("max_output_tokens", asked.tokens_max);
    body.emplace_back("reasoning", Json::Object{{"effort", "none"}});
  } else {
    body.emplace_back("messages", Json::Array{message});
    body.emplace_back("max_tokens", asked.tokens_max);
    body.emplace_back("thinking", Json::Object{{"type", "disabled"}});
  }
  body.insert(body.end(), asked.more.begin(), asked.more.end());
  return Json(std::move(body)).dump();
}

class ServedForm : public ::testing::Test {
 protected:
  void serve(const FormCase& form) {
    auto made = Server::start({.http = server::testing::loopback()});
    ASSERT_TRUE(made.ok()) << made.error().message();
    server_ = std::move(made).value();
    EngineOptions engine;
    engine.model_path = model_of(form, directory_);
    engine.thread_count = 2;
    auto service = std::make_unique<Service>(testing::open_engine(engine), ServiceOptions());
    const Status served = server_->serve(std::move(service), {"tiny", "fp", 8192});
    ASSERT_TRUE(served.ok()) << served.error().message();
  }

  TestResponse ask(const Asked& asked) const {
    const std::string body = body_of(asked);
    TestClient client(server_->addresses().front());
    return client.ask("POST " + std::string(asked.route) +
                      " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                      "Content-Length: " +
                      std::to_string(body.size()) + "\r\n\r\n" + body);
  }

  testing::TempDirectory directory_;
  std::unique_ptr<Server> server_;
};

class CallDemand : public ServedForm, public ::testing::WithParamInterface<FormCase> {
 protected:
  void SetUp() override { serve(GetParam()); }
};

// One kind of demand after the other.
enum class Demand { kRequired, kNamed, kOne, kCount };

void add_demand(Asked& asked, Demand demand, const std::string& name) {
  const bool is_anthropic = asked.route == kMessages;
  Json choice = is_anthropic ? Json(Json::Object{{"type", "any"}}) : Json("required");
  if (demand == Demand::kNamed) {
    choice = is_anthropic ? Json::Object{{"type", "tool"}, {"name", name}}
                          : Json::Object{{"type", "function"}, {"name", name}};
    if (asked.route == kChat) {
      choice = Json::Object{{"type", "function"}, {"function", Json::Object{{"name", name}}}};
    }
  }
  if (demand == Demand::kOne) {
    if (is_anthropic) choice = Json::Object{{"type", "any"}, {"disable_parallel_tool_use", true}};
    if (!is_anthropic) asked.more.emplace_back("parallel_tool_calls", false);
  }
  asked.more.emplace_back("tool_choice", std::move(choice));
}

TEST_P(CallDemand, CallsAreMadeAndTheirArgumentsFollowTheSchemas) {
  int whole_count = 0;
  constexpr int kCount = 18;
  // Five apart they still come by every route, whole and streamed, with every demand.
  constexpr int kStep = testing::cases(1, 5);
  for (int i = 0; i < kCount; i += kStep) {
    std::mt19937 random(static_cast<uint32_t>(i));
    const std::map<std::string, Json> schemas = {
        {"look", testing::random_arguments_schema(random)},
        {"look_up", testing::random_arguments_schema(random)}};
    Asked asked{.route = kRoutes[i % 3], .seed = i, .is_streamed = i / 3 % 2 == 0};
    Json::Array tools;
    for (const auto& [name, schema] : schemas) tools.push_back(tool_of(asked.route, name, schema));
    asked.more.emplace_back("tools", std::move(tools));
    const auto demand = static_cast<Demand>(i / 6 % static_cast<int>(Demand::kCount));
    add_demand(asked, demand, "look_up");
    const TestResponse response = ask(asked);
    ASSERT_EQ(response.status, 200) << response.body;
    EXPECT_EQ(response.head.find("x-kvasir-ignored: tool_choice"), std::string::npos);
    const Reply reply = read_reply(asked.route, response.body, asked.is_streamed);
    EXPECT_EQ(reply.text, "") << response.body;
    if (!reply.is_whole) continue;
    ++whole_count;
    ASSERT_FALSE(reply.calls.empty()) << response.body;
    EXPECT_TRUE(demand == Demand::kRequired || reply.calls.size() == 1) << response.body;
    for (const Made& call : reply.calls) {
      ASSERT_TRUE(schemas.contains(call.name)) << call.name;
      EXPECT_TRUE(demand != Demand::kNamed || call.name == "look_up") << response.body;
      EXPECT_TRUE(testing::fits(call.arguments, schemas.at(call.name)))
          << schemas.at(call.name).dump() << "\n"
          << call.arguments.dump();
    }
  }
  EXPECT_GE(whole_count, kCount / kStep / 3);
}

Json string_schema(int length_max) {
  return Json::Object{
      {"type", "object"},
      {"properties",
       Json::Object{{"a", Json::Object{{"type", "string"}, {"maxLength", length_max}}}}},
      {"required", Json::Array{"a"}}};
}

TEST_P(CallDemand, WhatIsCutOffSaysSo) {
  for (const char* route : kRoutes) {
    Asked asked{.route = route, .tokens_max = 6};
    asked.more.emplace_back("tools", Json::Array{tool_of(route, "look", string_schema(9))});
    add_demand(asked, Demand::kRequired, "look");
    const TestResponse response = ask(asked);
    ASSERT_EQ(response.status, 200) << response.body;
    EXPECT_FALSE(read_reply(route, response.body, false).is_whole) << response.body;
  }
}

// By itself the model makes a second one by chance alone.
TEST_P(CallDemand, OneCallMayFollowAnother) {
  size_t most = 0;
  for (int64_t seed = 0; seed < 24 && most < 2; ++seed) {
    Asked asked{.seed = seed, .tokens_max = 300, .temperature = 2};
    if (GetParam().in_template != nullptr) {
      asked.temperature = 1;
      asked.more.emplace_back("logit_bias", Json::Object{{"1", -100}});
    }
    asked.more.emplace_back("tools", Json::Array{tool_of(kChat, "look", string_schema(5)),
                                                 tool_of(kChat, "see", string_schema(2))});
    add_demand(asked, Demand::kRequired, "");
    const TestResponse response = ask(asked);
    ASSERT_EQ(response.status, 200) << response.body;
    const Reply reply = read_reply(kChat, response.body, false);
    most = std::max(most, reply.calls.size());
    for (size_t i = 0; i < reply.calls.size(); ++i) {
      const bool may_be_cut = !reply.is_whole && i + 1 == reply.calls.size();
      const Json schema = string_schema(reply.calls[i].name == "look" ? 5 : 2);
      EXPECT_TRUE(may_be_cut || testing::fits(reply.calls[i].arguments, schema)) << response.body;
    }
  }
  EXPECT_GE(most, 2u);
}

TEST_P(CallDemand, StrictToolsAreCalledInTheirFormOrNotAtAll) {
  for (int64_t seed = 0; seed < 6; ++seed) {
    Asked asked{.seed = seed, .tokens_max = 60};
    asked.more.emplace_back("tools", Json::Array{tool_of(kChat, "look", string_schema(9), true)});
    const TestResponse response = ask(asked);
    ASSERT_EQ(response.status, 200) << response.body;
    EXPECT_EQ(response.head.find("x-kvasir-ignored"), std::string::npos) << response.head;
    const Reply reply = read_reply(kChat, response.body, false);
    EXPECT_FALSE(reply.is_whole && reply.calls.empty() && reply.text.empty()) << response.body;
    for (const Made& call : reply.calls) {
      EXPECT_TRUE(!reply.is_whole || testing::fits(call.arguments, string_schema(9)));
    }
  }
}

TEST_P(CallDemand, ASchemaThatCannotBeFollowedIsRefusedOrLeftFree) {
  const Json wrong = *Json::parse(R"({"type": "object", "not": {}})", "schema");
  Asked asked{.tokens_max = 20};
  asked.more.emplace_back("tools", Json::Array{tool_of(kChat, "good", string_schema(3)),
                                               tool_of(kChat, "wrong", wrong)});
  asked.more.emplace_back("tool_choice", "required");
  const TestResponse free = ask(asked);
  EXPECT_EQ(free.status, 200) << free.body;
  EXPECT_TRUE(free.has("x-kvasir-ignored: tools[1].function.parameters")) << free.head;
  asked.more.front().second =
      Json::Array{tool_of(kChat, "good", string_schema(3)), tool_of(kChat, "wrong", wrong, true)};
  const TestResponse refused = ask(asked);
  EXPECT_EQ(refused.status, 400);
  const std::string message = text_at(parsed(refused.body), {"error", "message"});
  EXPECT_NE(message.find("tools[1].function.parameters"), std::string::npos) << message;
  EXPECT_NE(message.find("#/not"), std::string::npos) << message;
}

TEST_P(CallDemand, ASchemaBesideANamedToolIsThatOfItsArguments) {
  const Json form = *Json::parse(
      R"({"type": "object", "properties": {"n": {"type": "integer", "minimum": 0, "maximum": 9}},
          "required": ["n"]})",
      "schema");
  const std::pair<const char*, Json> kSaid[] = {
      {"guided_json", form},
      {"structured_outputs", Json::Object{{"json", form}}},
      {"response_format",
       Json::Object{{"type", "json_schema"},
                    {"json_schema", Json::Object{{"name", "f"}, {"schema", form}}}}}};
  for (const auto& [field, said] : kSaid) {
    Asked asked;
    asked.more.emplace_back("tools", Json::Array{tool_of(kChat, "look", string_schema(3))});
    asked.more.emplace_back(field, said);
    Asked any = asked;
    add_demand(any, Demand::kRequired, "");
    EXPECT_EQ(ask(any).status, 400) << field;
    add_demand(asked, Demand::kNamed, "look");
    const TestResponse response = ask(asked);
    ASSERT_EQ(response.status, 200) << response.body;
    const Reply reply = read_reply(kChat, response.body, false);
    ASSERT_EQ(reply.calls.size(), 1u) << response.body;
    EXPECT_TRUE(testing::fits(reply.calls[0].arguments, form)) << response.body;
  }
}

TEST_P(CallDemand, NoOtherFormStandsBesideADemand) {
  const std::pair<const char*, Json> kSaid[] = {
      {"guided_regex", "a+"},
      {"guided_choice", Json::Array{"a"}},
      {"response_format", Json::Object{{"type", "json_object"}}}};
  for (const auto& [field, said] : kSaid) {
    Asked asked;
    asked.more.emplace_back("tools", Json::Array{tool_of(kChat, "look", string_schema(3))});
    asked.more.emplace_back(field, said);
    add_demand(asked, Demand::kNamed, "look");
    const TestResponse response = ask(asked);
    EXPECT_EQ(response.status, 400) << field;
    EXPECT_EQ(text_at(parsed(response.body), {"error", "param"}), "tool_choice") << response.body;
  }
}

TEST_P(CallDemand, BesideOthersACallIsTheSame) {
  std::vector<std::string> alone;
  const auto asked_for = [](int64_t seed) {
    Asked asked{.seed = seed, .tokens_max = 80};
    asked.more.emplace_back("tools", Json::Array{tool_of(kChat, "look", string_schema(9)),
                                                 tool_of(kChat, "see", string_schema(5))});
    asked.more.emplace_back("tool_choice", seed % 3 == 0 ? "auto" : "required");
    return asked;
  };
  const auto said = [](const TestResponse& response) {
    const Json whole = parsed(response.body);
    const Reply reply = read_reply(kChat, response.body, false);
    std::string text = reply.text;
    for (const Made& call : reply.calls) text += " " + call.name + call.arguments.dump();
    return text + at(whole, {"usage", "completion_tokens"}).dump();
  };
  constexpr int64_t kCount = 6;
  for (int64_t seed = 0; seed < kCount; ++seed) alone.push_back(said(ask(asked_for(seed))));
  std::vector<TestClient> clients;
  for (int64_t seed = 0; seed < kCount; ++seed) {
    const std::string body = body_of(asked_for(seed));
    clients.emplace_back(server_->addresses().front());
    clients.back().send(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
        "application/json\r\nContent-Length: " +
        std::to_string(body.size()) + "\r\n\r\n" + body);
  }
  for (size_t i = 0; i < clients.size(); ++i) {
    EXPECT_EQ(said(clients[i].read_response()), alone[i]);
  }
}

TEST_F(ServedForm, WhereItIsNotKnownADemandStaysAWish) {
  serve({"Unknown", "nothing of calls"});
  Asked asked{.tokens_max = 4};
  asked.more.emplace_back("tools", Json::Array{tool_of(kChat, "look", string_schema(3), true)});
  const TestResponse strict = ask(asked);
  EXPECT_EQ(strict.status, 200) << strict.body;
  EXPECT_TRUE(strict.has("x-kvasir-ignored: strict")) << strict.head;
  add_demand(asked, Demand::kRequired, "");
  const TestResponse demanded = ask(asked);
  EXPECT_EQ(demanded.status, 200) << demanded.body;
  EXPECT_TRUE(demanded.has("x-kvasir-ignored: tool_choice")) << demanded.head;
}

INSTANTIATE_TEST_SUITE_P(Forms, CallDemand, ::testing::ValuesIn(kForms),
                         [](const auto& one) { return std::string(one.param.name); });

}  // namespace
}  // namespace kvasir
