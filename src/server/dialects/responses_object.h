// A ResponseObject writes what a Responses request comes to: the object that every event about the
// whole response holds, and its items. What the request asked for is told back in it. Immutable;
// any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "kvasir/scheduler.h"
#include "server/dialect.h"
#include "server/dialects/reply_parts.h"
#include "server/dialects/tool_fields.h"

namespace kvasir::server {

// Behind Call::own.
struct ResponsesCall {
  Json::Object settings;  // told back in every object
  Json instructions;      // told back too, but where a client only has to be kept waiting
  Json metadata;
  Json::Array tools;  // as they were asked for, without those that are left out
  ClientTools client_tools;
  bool wants_encrypted_reasoning = false;
};

class ResponseObject {
 public:
  ResponseObject(const Call& call, const ReplyFacts& facts);

  // While nothing is said yet.
  Json begun() const;
  // The same without what may be long.
  Json waiting() const;
  Json ended(const ReplyParts& parts, StopReason reason, const ReplyEnd& end) const;
  Json failed(const ReplyParts& parts, const ApiError& error) const;

  std::string item_id(const ReplyPart& part, size_t index) const;
  // As the client knows it.
  std::string tool_name(const ReplyPart& part) const;
  // Whether it calls a tool that takes a text.
  bool is_custom(const ReplyPart& part) const;
  // Before it has said anything.
  Json new_item(const ReplyPart& part, size_t index) const;
  Json item(const ReplyPart& part, size_t index, const char* status) const;

  // As an item holds it; empty at first.
  static Json content(ReplyPart::Kind kind, std::string text, Json::Array logprobs);
  static const char* status_of(StopReason reason);

 private:
  struct Outcome;
  Json object(Outcome outcome) const;
  Json::Array items(const ReplyParts& parts, const char* last_status) const;
  Json text_item(const ReplyPart& part, size_t index, const char* status,
                 Json::Array content) const;
  Json call_item(const ReplyPart& part, size_t index, const char* status, std::string text) const;

  std::shared_ptr<const ResponsesCall> call_;
  std::string id_;
  int64_t created_s_;
  std::string model_;
  std::optional<PromptComparison> comparison_;
};

}  // namespace kvasir::server
