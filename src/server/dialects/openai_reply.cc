#include "server/dialects/openai_reply.h"

#include <utility>

#include <fmt/format.h>

#include "base/check.h"
#include "server/dialects/reuse_fields.h"
#include "server/dialects/sse.h"

namespace kvasir::server {
namespace {

const Json kNull;

std::string progress_comment(const ReplyProgress& progress) {
  if (progress.queue_place > 0) {
    return sse_comment(fmt::format("place {} in the queue", progress.queue_place));
  }
  return sse_comment(
      fmt::format("{} of {} prompt tokens", progress.done_tokens, progress.total_tokens));
}

}  // namespace

OpenAiHead::OpenAiHead(const char* id_prefix, const ReplyFacts& facts)
    : comparison_(facts.comparison),
      id_(id_prefix + facts.id),
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

void OpenAiHead::add_end(const ReplyEnd& end, Json::Object& object) const {
  object.emplace_back("usage", openai_usage(end.usage));
  add_proof(end.proof, object);
  if (!comparison_) return;
  object.emplace_back("prompt_cache_diagnostics",
                      openai_diagnostics(reuse_report(*comparison_, end.usage)));
}

OpenAiStream::OpenAiStream(OpenAiHead head, const char* object, bool includes_usage)
    : head_(std::move(head)), object_(object), includes_usage_(includes_usage) {}

std::string OpenAiStream::chunk(Json choice) const {
  return sse_data(Json(object(std::move(choice))));
}

std::string OpenAiStream::heartbeat(Json choice, const ReplyProgress& progress) const {
  Json::Object beat = object(std::move(choice));
  beat.emplace_back("prompt_progress", prompt_progress(progress));
  return progress_comment(progress) + sse_data(Json(std::move(beat)));
}

std::string OpenAiStream::end(const ReplyEnd& end) const {
  if (!includes_usage_) return sse_done();
  Json::Object last = head_.object(object_);
  last.emplace_back("choices", Json::Array{});
  head_.add_end(end, last);
  return sse_data(Json(std::move(last))) + sse_done();
}

Json::Object OpenAiStream::object(Json choice) const {
  Json::Object object = head_.object(object_);
  object.emplace_back("choices", Json::Array{std::move(choice)});
  if (includes_usage_) object.emplace_back("usage", kNull);
  return object;
}

Json prompt_progress(const ReplyProgress& progress) {
  return Json::Object{{"total", progress.total_tokens},
                      {"cache", progress.reused_tokens},
                      {"processed", progress.done_tokens},
                      {"time_ms", progress.elapsed_ms}};
}

Json openai_usage(const ServiceUsage& usage) {
  const int64_t reused = usage.reused_tokens();
  return Json::Object{
      {"prompt_tokens", usage.prompt_tokens},
      {"completion_tokens", usage.generated_tokens},
      {"total_tokens", usage.prompt_tokens + usage.generated_tokens},
      {"prompt_tokens_details", Json::Object{{"cached_tokens", reused}, {"cache_write_tokens", 0}}},
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
    case StopReason::kToolCalls:
      return "tool_calls";
  }
  KVASIR_CHECK(false, "a known reason");
}

}  // namespace kvasir::server
