// What a server says of the reuse of a prompt: which field of which message differs from what came
// before, also where that was before a restart; and `kvasir cache why` of the same store.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "base/json.h"
#include "cli_driver.h"
#include "http_client.h"
#include "server_process.h"
#include "temp_directory.h"

namespace kvasir {
namespace {

using testing::ask_http;
using testing::ServerProcess;

std::string repeated(const std::string& text, int count) {
  std::string whole;
  for (int i = 0; i < count; ++i) whole += text;
  return whole;
}

const std::string kSystem = repeated("You are brief and kind. ", 100);
const std::string kQuestion = repeated("What is the dog called? ", 60);

Json chat_body(const std::string& system, const std::string& question) {
  return Json::Object{
      {"messages", Json::Array{Json::Object{{"role", "system"}, {"content", system}},
                               Json::Object{{"role", "user"}, {"content", question}}}},
      {"thinking", Json::Object{{"type", "disabled"}}},
      {"max_tokens", 4}};
}

Json with(Json body, const char* name, Json value) {
  Json::Object object = *body.as_object();
  object.emplace_back(name, std::move(value));
  return object;
}

Json ask(const ServerProcess& server, const char* path, const Json& body) {
  const testing::HttpAnswer answer = ask_http(server.port(), path, body.dump());
  EXPECT_EQ(answer.status, 200) << answer.body;
  return Json::parse(answer.body, "an answer").value();
}

std::string diagnostics(const ServerProcess& server, const Json& body) {
  const Json reply = ask(server, "/v1/chat/completions", body);
  const Json* told = reply.find("prompt_cache_diagnostics");
  return told == nullptr ? "" : told->dump();
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

double metric(const ServerProcess& server, const std::string& name) {
  const std::string text = ask_http(server.port(), "/metrics").body;
  const size_t at = text.find("\n" + name);
  if (at == std::string::npos) return -1;
  return std::stod(text.substr(text.find("} ", at) + 2));
}

class ServeReuseTest : public testing::CliTest {
 protected:
  std::vector<std::string> arguments() const { return {"--store", directory_.file("store")}; }
};

TEST_F(ServeReuseTest, TellsTheFirstChange) {
  const ServerProcess server(arguments());
  EXPECT_TRUE(has(diagnostics(server, chat_body(kSystem, kQuestion)), "no earlier prompt"));
  EXPECT_TRUE(has(diagnostics(server, chat_body(kSystem, kQuestion)), R"("type":"cache_hit")"));
  std::string changed = kSystem;
  changed[1234] = '#';
  EXPECT_TRUE(has(diagnostics(server, chat_body(changed, kQuestion)),
                  R"({"message":0,"role":"system","field":"content","character":1234})"));
  const Json max =
      with(chat_body(kSystem, kQuestion), "response_format", Json::Object{{"type", "json_object"}});
  EXPECT_TRUE(has(diagnostics(server, max), "text_format_changed"));
  // What others sent is nobody's business.
  EXPECT_TRUE(has(diagnostics(server, with(chat_body(kSystem, kQuestion), "cache_salt", "other")),
                  "no earlier prompt"));
}

TEST_F(ServeReuseTest, TellsItOfWhatWasBeforeARestart) {
  {
    ServerProcess server(arguments());
    ask(server, "/v1/chat/completions", chat_body(kSystem, kQuestion));
    testing::wait_until_saved(server.port());
    server.kill();
  }
  const std::string request = directory_.file("request.json");
  std::string changed = kQuestion;
  changed[700] = '#';
  std::ofstream(request) << chat_body(kSystem, changed).dump();
  const testing::Outcome why =
      run("cache why '" + request + "' --store '" + directory_.file("store") + "'");
  EXPECT_EQ(why.exit_status, 0) << why.err;
  EXPECT_TRUE(has(why.out, "message 1 (user), content, character 700\n")) << why.out;
  const ServerProcess server(arguments());
  EXPECT_TRUE(has(diagnostics(server, chat_body(kSystem, changed)),
                  R"({"message":1,"role":"user","field":"content","character":700})"));
}

TEST_F(ServeReuseTest, ComparesWithTheReplyThatIsNamed) {
  const ServerProcess server(arguments());
  const auto message = [](const std::string& system, Json previous) {
    return Json(Json::Object{
        {"system", system},
        {"messages", Json::Array{Json::Object{{"role", "user"}, {"content", kQuestion}}}},
        {"max_tokens", 4},
        {"diagnostics", Json::Object{{"previous_message_id", std::move(previous)}}}});
  };
  const Json first = ask(server, "/v1/messages", message(kSystem, Json()));
  EXPECT_TRUE(first.find("diagnostics")->is_null()) << first.dump();
  const std::string changed = "#" + kSystem;
  const Json second = ask(server, "/v1/messages", message(changed, *first.find("id")));
  EXPECT_TRUE(has(second.dump(), R"("type":"system_changed")")) << second.dump();
  const Json third = ask(server, "/v1/messages", message(changed, *second.find("id")));
  EXPECT_TRUE(third.find("diagnostics")->is_null()) << third.dump();
  const Json lost = ask(server, "/v1/messages", message(changed, "msg_00"));
  EXPECT_TRUE(has(lost.dump(), "previous_message_not_found")) << lost.dump();
}

// The answer that goes on from a cache comes of the same bits as one that is computed from nothing.
TEST_F(ServeReuseTest, ProvesThatReuseChangesNoBit) {
  std::string digest;
  {
    ServerProcess server(arguments());
    const Json plain = ask(server, "/v1/chat/completions", chat_body(kSystem, kQuestion));
    EXPECT_EQ(plain.find("kvasir_proof"), nullptr);
    testing::wait_until_saved(server.port());
    server.kill();
  }
  const ServerProcess server(arguments());
  const Json body = with(with(chat_body(kSystem, kQuestion), "kvasir_proof", true), "seed", 5);
  for (const bool is_second : {false, true}) {
    const Json reply = ask(server, "/v1/chat/completions", body);
    const Json* proof = reply.find("kvasir_proof");
    ASSERT_NE(proof, nullptr) << reply.dump();
    EXPECT_TRUE(*proof->find("same_bits")->as_bool()) << reply.dump();
    EXPECT_GE(*proof->find("steps")->as_integer(), 1) << reply.dump();
    EXPECT_GE(*proof->find("reused_tokens")->as_integer(), 512) << "from the store";
    const std::string told = *proof->find("logits_sha256")->as_string();
    EXPECT_TRUE(!is_second || told == digest) << told;
    digest = told;
  }
  const Json other =
      ask(server, "/v1/chat/completions", with(chat_body(kSystem, "Why?"), "kvasir_proof", true));
  EXPECT_NE(*other.find("kvasir_proof")->find("logits_sha256")->as_string(), digest);
  EXPECT_EQ(ask_http(server.port(), "/v1/chat/completions", with(body, "n", 2).dump()).status, 400);
}

// What a project's prompts begin with is pinned; what clients ask for and are not given is named.
TEST_F(ServeReuseTest, PinsTheBeginningOfAProject) {
  const std::string body = chat_body(kSystem, kQuestion).dump();
  const char* project = "x-kvasir-project: garden\r\n";
  {
    ServerProcess server({"--store", directory_.file("store"), "--project-size", "64MiB"});
    EXPECT_EQ(ask_http(server.port(), "/v1/chat/completions", body, project).status, 200);
    testing::wait_until_saved(server.port());
    EXPECT_EQ(server.terminate(), 0);
  }
  const Json list = run_json("cache ls --json --store '" + directory_.file("store") + "'");
  EXPECT_TRUE(has(list.dump(), R"("pinned":true,"name":"project: garden")")) << list.dump();
}

// A server that has nothing to do computes ahead what a recorded request begins with.
TEST_F(ServeReuseTest, WarmsUp) {
  const std::string requests = directory_.file("requests");
  std::ofstream(requests) << chat_body(kSystem, kQuestion).dump() << "\n\n"
                          << chat_body("# " + kSystem, kQuestion).dump() << "\n";
  const ServerProcess server({"--store", directory_.file("store"), "--warm", requests});
  for (int tries = 0; metric(server, "kvasir_request_prompt_tokens_count") < 2; ++tries) {
    ASSERT_LT(tries, 3000) << "it does not end";
    ::usleep(20'000);
  }
  for (const std::string& system : {kSystem, "# " + kSystem}) {
    const Json reply = ask(server, "/v1/chat/completions", chat_body(system, "Another question"));
    const Json* details = reply.find("usage")->find("prompt_tokens_details");
    EXPECT_GE(*details->find("cached_tokens")->as_integer(), 512) << reply.dump();
  }
}

// A conversation goes from one running server to another by the id of its reply, over a listener
// that only their owner reaches.
TEST_F(ServeReuseTest, HandsAConversationOnByItsReply) {
  const std::string file = directory_.file("conversation.kvs");
  const std::string socket = directory_.file("admin");
  const std::string order = R"({"path":")" + file + R"("})";
  {
    const ServerProcess server({"--store", directory_.file("store"), "--admin-unix", socket});
    const Json reply = ask(server, "/v1/chat/completions", chat_body(kSystem, kQuestion));
    testing::wait_until_saved(server.port());
    const std::string whole =
        R"({"response_id":)" + reply.find("id")->dump() + R"(,"path":")" + file + R"("})";
    EXPECT_EQ(ask_http(server.port(), "/admin/export", whole).status, 404) << "the public listener";
    EXPECT_FALSE(std::filesystem::exists(file));
    const testing::HttpAnswer told = testing::ask_http_unix(socket, "/admin/export", whole);
    EXPECT_EQ(told.status, 200) << told.body;
    EXPECT_NE(testing::ask_http_unix(socket, "/admin/export", whole).status, 200) << "it exists";
    EXPECT_EQ(testing::ask_http_unix(socket, "/admin/export", order).status, 400) << "no reply";
  }
  const ServerProcess other({"--store", directory_.file("other"), "--admin-unix", socket + "2"});
  const testing::HttpAnswer told = testing::ask_http_unix(socket + "2", "/admin/import", order);
  EXPECT_EQ(told.status, 200) << told.body;
  const Json reply = ask(other, "/v1/chat/completions", chat_body(kSystem, kQuestion));
  const Json* details = reply.find("usage")->find("prompt_tokens_details");
  EXPECT_GE(*details->find("cached_tokens")->as_integer(), 512) << reply.dump();
  EXPECT_EQ(testing::ask_http_unix(socket + "2", "/admin/import", R"({"path":"here"})").status,
            400);
}

// What clients do to a conversation is set right, and counted.
TEST_F(ServeReuseTest, CountsWhatItSetRight) {
  const ServerProcess server(arguments());
  const auto body = [](Json::Array messages) {
    Json::Object object{
        {"system",
         Json::Array{Json::Object{{"type", "text"}, {"text", "x-anthropic-billing-header: v=1"}},
                     Json::Object{{"type", "text"}, {"text", "You are brief."}}}},
        {"messages", std::move(messages)},
        {"thinking", Json::Object{{"type", "disabled"}}},
        {"temperature", 0},
        {"max_tokens", 200}};
    return Json(std::move(object));
  };
  const auto message = [](const char* role, Json content) {
    return Json(Json::Object{{"role", role}, {"content", std::move(content)}});
  };
  const Json first = ask(server, "/v1/messages", body({message("user", "Who are you?")}));
  EXPECT_EQ(metric(server, "kvasir_repairs_total{model_name=\"kvasir-tiny\",kind=\"attribution\"}"),
            1);
  // A blank is added, and a word of the system comes late.
  std::string answer;
  for (const Json& block : *first.find("content")->as_array()) {
    if (const Json* text = block.find("text")) answer += *text->as_string();
  }
  const Json marked =
      Json::Array{Json::Object{{"type", "text"},
                               {"text", "Really?"},
                               {"cache_control", Json::Object{{"type", "ephemeral"}}}}};
  ask(server, "/v1/messages",
      body({message("user", "Who are you?"), message("assistant", answer + " "),
            message("system", "Be kind."), message("user", marked)}));
  for (const char* kind : {"attribution=2", "cache_control=1", "system=1", "writing=1"}) {
    const std::string word = kind;
    const size_t equals = word.find('=');
    EXPECT_EQ(metric(server, "kvasir_repairs_total{model_name=\"kvasir-tiny\",kind=\"" +
                                 word.substr(0, equals) + "\"}"),
              std::stod(word.substr(equals + 1)))
        << kind;
  }
}

}  // namespace
}  // namespace kvasir
