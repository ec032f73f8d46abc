#include "server/dialects/openai_error.h"

#include <gtest/gtest.h>

#include "server/dialects/openai_test_support.h"

namespace kvasir::server {
namespace {

TEST(OpenAiErrorTest, KindsHaveTypesAndCodes) {
  const struct {
    ApiErrorKind kind;
    const char* type;
    const char* code;  // as JSON
  } cases[] = {
      {ApiErrorKind::kInvalidRequest, "invalid_request_error", "null"},
      {ApiErrorKind::kAuthentication, "authentication_error", "\"invalid_api_key\""},
      {ApiErrorKind::kPermission, "permission_error", "null"},
      {ApiErrorKind::kNotFound, "not_found_error", "null"},
      {ApiErrorKind::kMethod, "invalid_request_error", "\"method_not_allowed\""},
      {ApiErrorKind::kTimeout, "timeout_error", "\"timeout\""},
      {ApiErrorKind::kTooLarge, "invalid_request_error", "\"request_too_large\""},
      {ApiErrorKind::kMediaType, "invalid_request_error", "\"unsupported_media_type\""},
      {ApiErrorKind::kBusy, "rate_limit_error", "\"rate_limit_exceeded\""},
      {ApiErrorKind::kServer, "server_error", "null"},
      {ApiErrorKind::kUnavailable, "server_error", "\"service_unavailable\""},
  };
  for (const auto& [kind, type, code] : cases) {
    EXPECT_EQ(openai_error({.kind = kind, .message = "m"}, "messages").dump(),
              std::string(R"({"error":{"message":"m","type":")") + type +
                  R"(","param":null,"code":)" + code + "}}");
  }
}

TEST(OpenAiErrorTest, FieldAndCodeOfTheErrorWin) {
  const ApiError error{.kind = ApiErrorKind::kNotFound,
                       .message = "m",
                       .param = "messages[2].content",
                       .code = "previous_response_not_found"};
  EXPECT_EQ(openai_error(error, "messages").dump(),
            R"({"error":{"message":"m","type":"not_found_error","param":"messages[2].content",)"
            R"("code":"previous_response_not_found"}})");
}

TEST(OpenAiErrorTest, ATooLongPromptIsToldWithBothNumbers) {
  const ApiError error{.kind = ApiErrorKind::kContextLength, .tokens = 9000, .tokens_max = 8192};
  EXPECT_EQ(chat_completions().error_body(error, "r"),
            R"({"error":{"message":"This model's maximum context length is 8192 tokens. However, )"
            R"(your messages resulted in 9000 tokens.","type":"invalid_request_error",)"
            R"("param":"messages","code":"context_length_exceeded"}})");
  const Json body = *Json::parse(completions().error_body(error, "r"), "body");
  EXPECT_EQ(*body.find("error")->find("param")->as_string(), "prompt");
  EXPECT_EQ(*body.find("error")->find("message")->as_string(),
            "This model's maximum context length is 8192 tokens. However, your prompt resulted in "
            "9000 tokens.");
}

}  // namespace
}  // namespace kvasir::server
