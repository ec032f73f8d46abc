// ChatCalls writes the tool calls of one answer as Chat Completions has them: `tool_calls`, or one
// `function_call` where a client asked in the old way. It refers to what its client asked; one
// thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "kvasir/generation.h"
#include "server/dialects/custom_input.h"
#include "server/dialects/openai_fields.h"

namespace kvasir::server {

class ChatCalls {
 public:
  ChatCalls(const OpenAiCall& asked, std::string reply_id, int64_t choice);

  // The deltas that say it.
  std::vector<Json::Object> take(const CallPiece& piece);
  // To a message that has them all.
  void add_to(Json::Object& message) const;
  bool empty() const { return calls_.empty(); }
  // "tool_calls", or what ended the answer otherwise.
  const char* finish_reason(StopReason reason) const;

 private:
  struct One {
    ClientTool tool;
    std::string id;
    CustomInput input;
    std::string text;  // arguments, or input
  };

  void begin(const std::string& name);
  // {name, arguments}, or of a custom tool {name, input}.
  static Json::Object named(const One& call, std::string text);
  static Json::Object whole(const One& call, std::string text);
  Json::Object delta(Json::Object call) const;

  const OpenAiCall* asked_;
  std::string reply_id_;
  int64_t choice_;
  std::vector<One> calls_;
};

}  // namespace kvasir::server
