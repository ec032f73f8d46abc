// An OpenAiHead writes what all objects of one reply have in common, in the dialects that OpenAI's
// clients speak; beside it stand usage and what a waiting client is told. Plain values; any thread.
#pragma once

#include <string>

#include "base/json.h"
#include "kvasir/scheduler.h"
#include "server/dialect.h"

namespace kvasir::server {

class OpenAiHead {
 public:
  // The reply's id is `id_prefix` and that of the facts.
  OpenAiHead(const char* id_prefix, const ReplyFacts& facts);

  // {id, object, created, model, system_fingerprint}, for more to be added.
  Json::Object object(const char* name) const;

 private:
  std::string id_;
  int64_t created_s_;
  std::string model_;
  std::string fingerprint_;
};

// Tokens taken from the cache are always said, 0 too; in OpenAI's words and in DeepSeek's.
Json openai_usage(const ServiceUsage& usage);
const char* finish_reason_of(StopReason reason);

// {total, cache, processed, time_ms}: processed ones include those from the cache.
Json prompt_progress(const ReplyProgress& progress);
// A comment for people who look at the bytes.
std::string progress_comment(const ReplyProgress& progress);

}  // namespace kvasir::server
