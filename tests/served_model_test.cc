// What clients rely on of a server with a model: asked over a socket, on the bundled model.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "base/json.h"
#include "engine_driver.h"
#include "server/http_test_support.h"
#include "server/server.h"

namespace kvasir::server {
namespace {

using testing::TestClient;
using testing::TestResponse;

Json parsed(const std::string& text) {
  Result<Json> json = Json::parse(text, "reply");
  EXPECT_TRUE(json.ok()) << text;
  return json.ok() ? std::move(*json) : Json();
}

const Json& at(const Json& json, std::initializer_list<std::string_view> path) {
  static const Json kNull;
  const Json* found = &json;
  for (const std::string_view name : path) {
    const Json::Array* list = found->as_array();
    found = list != nullptr && !list->empty() ? list->front().find(name) : found->find(name);
    if (found == nullptr) return kNull;
  }
  return *found;
}

int64_t number_at(const Json& json, std::initializer_list<std::string_view> path) {
  const int64_t* number = at(json, path).as_integer();
  return number == nullptr ? -1 : *number;
}

std::string text_at(const Json& json, std::initializer_list<std::string_view> path) {
  const std::string* text = at(json, path).as_string();
  return text == nullptr ? "(none)" : *text;
}

class ServedModel : public ::testing::Test {
 protected:
  static constexpr int64_t kContext = 512;

  static void SetUpTestSuite() {
    auto started = Server::start({.http = {.listeners = {{.host = "127.0.0.1"}}}});
    ASSERT_TRUE(started.ok());
    server_ = std::move(started).value();
    Engine engine = kvasir::testing::open_engine(
        {.model_path = std::string(KVASIR_SOURCE_DIR) + "/models/kvasir-tiny", .thread_count = 2});
    const Status served =
        server_->serve(std::make_unique<Service>(std::move(engine), ServiceOptions()),
                       {.name = "tiny", .context_tokens = kContext});
    EXPECT_TRUE(served.ok());
  }
  static void TearDownTestSuite() { server_.reset(); }

  static TestResponse ask(const std::string& head, const std::string& body) {
    TestClient client(server_->addresses().front());
    return client.ask(head + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" +
                      "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  }
  static Json json_of(const std::string& path, const std::string& body) {
    const TestResponse response = ask("POST " + path, body);
    EXPECT_EQ(response.status, 200) << response.body;
    return parsed(response.body);
  }
  static int64_t counted(const std::string& name) {
    const std::string text = ask("GET /metrics", "").body;
    const size_t line = text.find("\n" + name + "{");
    EXPECT_NE(line, std::string::npos) << name;
    return std::stoll(text.substr(text.find('}', line) + 1));
  }

  static std::unique_ptr<Server> server_;
};

std::unique_ptr<Server> ServedModel::server_;

TEST_F(ServedModel, BodiesThatAreNoJsonAreTheClientsFault) {
  std::string deep(5000, '[');
  for (const std::string& body :
       {std::string(), std::string("{"), std::string(R"({"model":"x"} x)"), deep,
        std::string(R"({"model":"a","model":"b"})"), std::string("\xff")}) {
    for (const char* path : {"/v1/chat/completions", "/v1/completions", "/v1/responses",
                             "/v1/messages", "/v1/messages/count_tokens", "/tokenize"}) {
      const TestResponse response = ask(std::string("POST ") + path, body);
      EXPECT_EQ(response.status, 400) << path << " " << body.substr(0, 20);
      EXPECT_EQ(text_at(parsed(response.body), {"error", "type"}), "invalid_request_error");
    }
  }
}

// Load generators ask for it, so that every answer has the same length.
TEST_F(ServedModel, WithoutAnEndATurnGoesOnToItsLimit) {
  const Json chat =
      json_of("/v1/chat/completions", R"({"messages":[{"role":"user","content":"Hello"}],"seed":1,)"
                                      R"("max_tokens":100000,"ignore_eos":true})");
  EXPECT_EQ(text_at(chat, {"choices", "finish_reason"}), "length");
  EXPECT_EQ(number_at(chat, {"usage", "total_tokens"}), kContext);
  const Json message =
      json_of("/v1/messages", R"({"messages":[{"role":"user","content":"Hello"}],"seed":1,)"
                              R"("max_tokens":300,"ignore_eos":true})");
  EXPECT_EQ(number_at(message, {"usage", "output_tokens"}), 300);
}

TEST_F(ServedModel, AnEchoBeginsWithThePromptAsItWasSent) {
  const Json text =
      json_of("/v1/completions", R"({"prompt":"The cat","max_tokens":1,"echo":true,"logprobs":1})");
  EXPECT_TRUE(text_at(text, {"choices", "text"}).starts_with("The cat"));
  const Json ids =
      json_of("/v1/completions", R"({"prompt":[[72,105],[72]],"max_tokens":0,"echo":true})");
  const Json words = json_of("/detokenize", R"({"tokens":[72,105]})");
  EXPECT_EQ(text_at(ids, {"choices", "text"}), text_at(words, {"prompt"}));
}

TEST_F(ServedModel, TokensOfInputAreCountedAsTheyAreUsed) {
  const std::string body =
      R"({"input":"Tell me","instructions":"Be brief.","max_output_tokens":1})";
  const Json count = json_of("/v1/responses/input_tokens", body);
  EXPECT_EQ(text_at(count, {"object"}), "response.input_tokens");
  EXPECT_EQ(number_at(count, {"input_tokens"}),
            number_at(json_of("/v1/responses", body), {"usage", "input_tokens"}));
}

// Whoever reads the counts behind an answer finds the answer in them.
TEST_F(ServedModel, CountsHaveAnAnswerThatHasEnded) {
  for (int i = 0; i < 30; ++i) {
    const int64_t before = counted("kvasir_generation_tokens_total");
    json_of("/v1/completions", R"({"prompt":"The cat","max_tokens":3,"ignore_eos":true})");
    EXPECT_EQ(counted("kvasir_generation_tokens_total"), before + 3);
    EXPECT_EQ(counted("kvasir_num_requests_running"), 0);
  }
}

// The typed models of both makers' clients demand these.
TEST_F(ServedModel, AModelHasWhatBothDialectsDemand) {
  const Json listed = parsed(ask("GET /v1/models", "").body);
  for (const char* name : {"id", "object", "owned_by", "type", "display_name", "created_at"}) {
    EXPECT_NE(text_at(listed, {"data", name}), "(none)") << name;
  }
  EXPECT_EQ(text_at(listed, {"data", "lifecycle"}), "active");
  EXPECT_GT(number_at(listed, {"data", "created"}), 0);
  const Json usage = json_of("/v1/completions", R"({"prompt":"The cat","max_tokens":1})");
  EXPECT_EQ(number_at(usage, {"usage", "prompt_tokens_details", "cache_write_tokens"}), 0);
}

}  // namespace
}  // namespace kvasir::server
