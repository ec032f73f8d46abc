#include "server/dialects/openai_reply.h"

#include <fmt/format.h>

#include "base/check.h"
#include "server/dialects/sse.h"

namespace kvasir::server {

OpenAiHead::OpenAiHead(const char* id_prefix, const ReplyFacts& facts)
    : id_(id_prefix + facts.id),
      created_s_(facts.created_s),
      model_(facts.model),
      fingerprint_(facts.fingerprint) {}

Json::Object OpenAiHead::object(const char* name) const {
  return {{"id", id_},
          {"object", name},
          {"created", created_s_},
          {"model", model_},
          {"system_fingerprint", fingerprint_}};
}

Json openai_usage(const ServiceUsage& usage) {
  const int64_t reused = usage.reused_tokens();
  return Json::Object{
      {"prompt_tokens", usage.prompt_tokens},
      {"completion_tokens", usage.generated_tokens},
      {"total_tokens", usage.prompt_tokens + usage.generated_tokens},
      {"prompt_tokens_details", Json::Object{{"cached_tokens", reused}}},
      {"completion_tokens_details", Json::Object{{"reasoning_tokens", usage.reasoning_tokens}}},
      {"prompt_cache_hit_tokens", reused},
      {"prompt_cache_miss_tokens", usage.prompt_tokens - reused}};
}

const char* finish_reason_of(StopReason reason) {
  switch (reason) {
    case StopReason::kEndOfText:
    case StopReason::kStopString:
    case StopReason::kInterrupted:
      return "stop";
    case StopReason::kTokenLimit:
      return "length";
  }
  KVASIR_CHECK(false, "a known reason");
}

Json prompt_progress(const ReplyProgress& progress) {
  return Json::Object{{"total", progress.total_tokens},
                      {"cache", progress.reused_tokens},
                      {"processed", progress.done_tokens},
                      {"time_ms", progress.elapsed_ms}};
}

std::string progress_comment(const ReplyProgress& progress) {
  if (progress.queue_place > 0) {
    return sse_comment(fmt::format("{} requests are before this one", progress.queue_place));
  }
  return sse_comment(
      fmt::format("{} of {} prompt tokens", progress.done_tokens, progress.total_tokens));
}

}  // namespace kvasir::server
