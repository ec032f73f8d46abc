#include "server/body_schemas.h"

namespace kvasir::server {
namespace {

// What is not in these schemas is refused, as the readers of the dialects have it, but for blocks
// of Messages and items of Responses of other kinds: some of them are read, the rest is left out of
// the prompt. Fields that are not named are let through. Which ids are tokens is known to the model
// alone; that names of tools differ, that a choice names one of them, and how long and deep their
// schemas may be cannot be said here.
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

constexpr const char* kToolMembers =
    R"("name":{"type":"string","pattern":"^[A-Za-z0-9_-]{1,128}$"},)"
    R"("description":{"type":["string","null"]},"strict":{"type":["boolean","null"]},)";

std::string function_tool(const char* schema) {
  return std::string(R"({"type":"object","properties":{)") + kToolMembers + "\"" + schema +
         R"(":{"type":["object","null"]}},"required":["name"]})";
}

// Under `tools`; those of kinds that nobody here knows are left out of the prompt.
std::string tool_list(const std::string& known, const char* known_kinds) {
  return R"("tools":{"type":["array","null"],"maxItems":1024,"items":{"anyOf":[)" + known +
         R"(,{"type":"object","properties":{"type":{"type":"string","not":{"enum":[)" +
         known_kinds + R"(]}}},"required":["type"]}]}})";
}

std::string flat_tool(const char* kinds) {
  return std::string(R"({"allOf":[{"type":"object","properties":{"type":{"enum":[)") + kinds +
         R"(]}}},)" + function_tool("parameters") + "]}";
}

std::string chat_tools() {
  const std::string function = function_tool("parameters");
  const std::string known =
      R"({"type":"object","properties":{"type":{"enum":["function",null]},"function":)" + function +
      R"(},"required":["function"]},{"type":"object","properties":{"type":{"const":"custom"},)" +
      R"("custom":)" + function + R"(},"required":["type","custom"]})";
  return tool_list(known, R"("function","custom")") +
         R"(,"functions":{"type":["array","null"],"maxItems":1024,"items":)" + function +
         R"(},"parallel_tool_calls":{"type":["boolean","null"]})";
}

std::string response_tools() {
  const std::string known = flat_tool(R"("function","custom",null)");
  const std::string space =
      std::string(R"({"type":"object","properties":{"type":{"const":"namespace"},)") +
      kToolMembers + tool_list(known, R"("function","custom")") +
      R"(},"required":["type","name"]})";
  return tool_list(known + "," + space, R"("function","custom","namespace")") +
         R"(,"parallel_tool_calls":{"type":["boolean","null"]})";
}

std::string message_tools() {
  const std::string known =
      R"({"allOf":[{"type":"object","properties":{"type":{"enum":["custom",null]}}},)" +
      function_tool("input_schema") + "]}";
  return tool_list(known, R"("custom")");
}

// What the answer is to be.
std::string answer_format(const char* schema_place) {
  return std::string(R"({"type":["object","null"],"anyOf":[{"type":"null"},)") +
         R"({"properties":{"type":{"enum":["text","json_object"]}},"required":["type"]},)" +
         R"({"properties":{"type":{"const":"json_schema"},)" + schema_place + "}]}";
}

constexpr const char* kFlatSchema = R"("schema":{"type":"object"}},"required":["type","schema"])";
constexpr const char* kNestedSchema =
    R"("json_schema":{"type":"object","properties":{"schema":{"type":"object"}},)"
    R"("required":["schema"]}},"required":["type","json_schema"])";

std::string chat_messages(const char* types) {
  return std::string(R"("messages":{"type":)") + types +
         R"(,"minItems":1,"items":{"type":"object",)" +
         R"("properties":{"role":{"enum":["system","developer","user","assistant","tool",)" +
         R"("function"]},"content":)" + kOpenAiContent + R"(},"required":["role"]}})";
}

}  // namespace

std::string chat_schema() {
  return with_sampling(chat_messages(R"("array")") + "," + token_count("max_tokens", false) + "," +
                           token_count("max_completion_tokens", false) + "," + chat_tools() +
                           R"(,"response_format":)" + answer_format(kNestedSchema),
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
          R"(["string","null"]},)" + token_count("max_output_tokens", false) + "," +
          response_tools() + R"(,"text":{"type":["object","null"],"properties":{"format":)" +
          answer_format(kFlatSchema) + "}}",
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
          token_count("max_tokens", false) + "," + message_tools() +
          R"(,"output_config":{"type":["object","null"],"properties":{"format":)" +
          answer_format(kFlatSchema) + "}}",
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
