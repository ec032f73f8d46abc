#include "server/body_schemas.h"

namespace kvasir::server {
namespace {

// In these schemas stands what is refused otherwise, as the readers of the dialects have it. Fields
// that are not named are let through.
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

// Parts of other kinds are refused, but for those that the dialect knows besides.
std::string parts(const char* text_types, const char* more_types) {
  return std::string(R"({"type":"array","items":{"anyOf":[{"type":"object",)") +
         R"("properties":{"type":)" + R"({"enum":[)" + text_types +
         R"(]},"text":{"type":"string"}},"required":["type","text"]})" + more_types + "]}}";
}

std::string with_sampling(const std::string& fields, const char* required) {
  return std::string(R"({"type":"object","properties":{)") + kModel + fields + "," + kSampling +
         R"(},"required":)" + required + "}";
}

constexpr const char* kOpenAiTypes = R"("text","input_text","output_text")";
constexpr const char* kOpenAiParts =
    R"(,{"type":"string"},{"type":"object","properties":{"type":{"enum":["image_url",)"
    R"("input_image","input_audio","file","input_file"]}},"required":["type"]})";

}  // namespace

std::string chat_schema() {
  return with_sampling(
      R"("messages":{"type":"array","minItems":1,"items":{"type":"object","properties":{"role":)"
      R"({"enum":["system","developer","user","assistant","tool","function"]},"content":)"
      R"({"anyOf":[{"type":["string","null"]},)" +
          parts(kOpenAiTypes, kOpenAiParts) + R"(]}},"required":["role"]}},)" +
          token_count("max_tokens", false) + "," + token_count("max_completion_tokens", false),
      R"(["messages"])");
}

std::string completion_schema() {
  const std::string ids = R"({"type":"array","minItems":1,"items":{"type":"integer","minimum":0}})";
  return with_sampling(
      R"("prompt":{"anyOf":[{"type":"string"},)" + ids +
          R"(,{"type":"array","minItems":1,"maxItems":128,"items":{"anyOf":[{"type":"string"},)" +
          ids + "]}}]}," + token_count("max_tokens", true),
      R"(["prompt"])");
}

std::string responses_schema() {
  return with_sampling(
      R"("input":{"anyOf":[{"type":"string"},{"type":"array","minItems":1,"items":)"
      R"({"type":"object","properties":{"type":{"const":"message"},)"
      R"("role":{"enum":["user","assistant","system","developer"]},)"
      R"("content":{"anyOf":[{"type":"string"},)" +
          parts(kOpenAiTypes, "") + R"(]}},"required":["role","content"]}}]},)" +
          R"("instructions":{"type":["string","null"]},)" + token_count("max_output_tokens", false),
      R"(["input"])");
}

std::string messages_schema() {
  const std::string texts = R"({"anyOf":[{"type":"string"},)" + parts(R"("text")", "") + "]}";
  return with_sampling(
      R"("messages":{"type":"array","minItems":1,"items":{"type":"object","properties":{"role":)"
      R"({"enum":["user","assistant","system"]},"content":)" +
          texts + R"(},"required":["role","content"]}},"system":)" + texts + "," +
          token_count("max_tokens", false),
      R"(["messages"])");
}

std::string tokenize_schema() {
  return R"({"type":"object","properties":{"prompt":{"type":"string"},"content":{"type":"string"},)"
         R"("add_special_tokens":{"type":["boolean","null"]},)"
         R"("add_special":{"type":["boolean","null"]}},)"
         R"("anyOf":[{"required":["prompt"]},{"required":["content"]},{"required":["messages"]}]})";
}

std::string detokenize_schema() {
  return R"({"type":"object","properties":{"tokens":{"type":"array","items":)"
         R"({"type":"integer","minimum":0}}},"required":["tokens"]})";
}

}  // namespace kvasir::server
