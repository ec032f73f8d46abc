#include "server/body_schemas.h"

namespace kvasir::server {
namespace {

// What is not in these schemas is refused, as the readers of the dialects have it, but for blocks
// of Messages and items of Responses of other kinds: some of them are read, the rest is left out of
// the prompt. Fields that are not named are let through. Which ids are tokens is known to the model
// alone.
constexpr const char* kSampling =
    R"("temperature":{"type":["number","null"],"minimum":0,"maximum":100},)"
    R"("top_p":{"type":["number","null"],"minimum":0,"maximum":1},)"
    R"("seed":{"type":["integer","null"],"minimum":-9223372036854775808,)"
    R"("maximum":9223372036854775807},"stream":{"type":["boolean","null"]})";

constexpr const char* kModel = R"("model":{"type":["string","null"]},)";

// -1: as many as there is room for.
std::string token_count(const char* name, bool may_be_none) {
  return std::string("\"") + name +
         R"(":{"type":["integer","null"],"minimum":-1,"maximum":1099511627776)" +
         (may_be_none ? "}" : R"(,"not":{"const":0}})");
}

constexpr const char* kIds =
    R"({"type":"array","minItems":1,"items":{"type":"integer","minimum":0,"maximum":2147483647}})";

std::string with_sampling(const std::string& fields, const char* required) {
  return std::string(R"({"type":"object","properties":{)") + kModel + fields + "," + kSampling +
         R"(},"required":)" + required + "}";
}

// A part without a kind is a text.
constexpr const char* kOpenAiContent =
    R"({"anyOf":[{"type":["string","null"]},{"type":"array","items":{"anyOf":[{"type":"string"},)"
    R"({"type":"object","properties":{"type":{"enum":["text","input_text","output_text",null]},)"
    R"("text":{"type":"string"}},"required":["text"]},{"type":"object","properties":)"
    R"({"type":{"const":"refusal"},"refusal":{"type":"string"}},"required":["type","refusal"]},)"
    R"({"type":"object","properties":{"type":{"enum":["image_url","input_image","image",)"
    R"("input_audio","audio_url","audio","video_url","video","file","input_file"]}},)"
    R"("required":["type"]}]}}]})";

std::string chat_messages(const char* types) {
  return std::string(R"("messages":{"type":)") + types +
         R"(,"minItems":1,"items":{"type":"object",)" +
         R"("properties":{"role":{"enum":["system","developer","user","assistant","tool",)" +
         R"("function"]},"content":)" + kOpenAiContent + R"(},"required":["role"]}})";
}

}  // namespace

std::string chat_schema() {
  return with_sampling(chat_messages(R"("array")") + "," + token_count("max_tokens", false) + "," +
                           token_count("max_completion_tokens", false),
                       R"(["messages"])");
}

std::string completion_schema() {
  return with_sampling(
      std::string(R"("prompt":{"anyOf":[{"type":"string"},)") + kIds +
          R"(,{"type":"array","minItems":1,"maxItems":128,"items":{"anyOf":[{"type":"string"},)" +
          kIds + "]}}]}," + token_count("max_tokens", true),
      R"(["prompt"])");
}

std::string responses_schema() {
  return with_sampling(
      std::string(R"("input":{"anyOf":[{"type":"string"},{"type":"array","minItems":1,"items":)") +
          R"({"type":"object","properties":{"type":{"enum":["message",null]},)" +
          R"("role":{"enum":["user","assistant","system","developer"]},"content":)" +
          kOpenAiContent + R"(},"required":["role"]}}]},"instructions":{"type":)" +
          R"(["string","null"]},)" + token_count("max_output_tokens", false),
      R"(["input"])");
}

std::string messages_schema() {
  const std::string texts =
      R"({"anyOf":[{"type":"string"},{"type":"array","items":{"type":"object","properties":)"
      R"({"type":{"const":"text"},"text":{"type":"string"}},"required":["type","text"]}}]})";
  return with_sampling(
      R"("messages":{"type":"array","minItems":1,"items":{"type":"object","properties":{"role":)"
      R"({"enum":["user","assistant","system"]},"content":)" +
          texts + R"(},"required":["role","content"]}},"system":)" + texts + "," +
          token_count("max_tokens", false),
      R"(["messages"])");
}

// Null is as good as left out, but something has to be there.
std::string tokenize_schema() {
  return std::string(R"({"type":"object","properties":{"prompt":{"type":["string","null"]},)") +
         R"("content":{"type":["string","null"]},)" + chat_messages(R"(["array","null"])") +
         R"(,"add_special_tokens":{"type":["boolean","null"]},)" +
         R"("add_special":{"type":["boolean","null"]}},"anyOf":[)" +
         R"({"properties":{"prompt":{"type":"string"}},"required":["prompt"]},)" +
         R"({"properties":{"content":{"type":"string"}},"required":["content"]},)" +
         R"({"properties":{"messages":{"type":"array"}},"required":["messages"]}]})";
}

std::string detokenize_schema() {
  return R"({"type":"object","properties":{"tokens":{"type":"array","items":)"
         R"({"type":"integer","minimum":0,"maximum":2147483647}}},"required":["tokens"]})";
}

}  // namespace kvasir::server
