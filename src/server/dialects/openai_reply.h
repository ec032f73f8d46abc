// An OpenAiHead writes what all objects of one reply have in common, in the dialects that OpenAI's
// clients speak, and an OpenAiStream the frames around the choices of a streamed one. Plain values;
// any thread.
#pragma once

#include <optional>
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
  // Adds usage, what is to be said of the reuse where it is known, and a proof.
  void add_end(const ReplyEnd& end, Json::Object& object) const;

 private:
  std::optional<PromptComparison> comparison_;
  std::string id_;
  int64_t created_s_;
  std::string model_;
  std::string fingerprint_;
};

class OpenAiStream {
 public:
  // `object` names what a chunk is; with `includes_usage` each has a place for usage.
  OpenAiStream(OpenAiHead head, const char* object, bool includes_usage);

  std::string chunk(Json choice) const;
  // A comment for people who look at the bytes, and a chunk for clients that count no comments as
  // a sign of life. `choice` adds nothing.
  std::string heartbeat(Json choice, const ReplyProgress& progress) const;
  std::string end(const ReplyEnd& end) const;

 private:
  Json::Object object(Json choice) const;

  OpenAiHead head_;
  const char* object_;
  bool includes_usage_;
};

// {total, cache, processed, time_ms}: processed tokens include those from the cache.
Json prompt_progress(const ReplyProgress& progress);

// Tokens taken from the cache are always said, 0 too; as OpenAI says it, and as hits and misses.
Json openai_usage(const ServiceUsage& usage);
const char* finish_reason_of(StopReason reason);

}  // namespace kvasir::server
