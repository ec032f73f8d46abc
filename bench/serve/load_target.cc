#include "bench/serve/load_target.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "base/json.h"
#include "base/stopwatch.h"
#include "bench/serve/load_figures.h"
#include "bench/serve/load_prompts.h"

namespace kvasir::bench {
namespace {

constexpr std::chrono::milliseconds kReadyPause{20};
constexpr int64_t kMeasuredWords = 400;

Result<std::string> first_model(const std::string& body) {
  KVASIR_ASSIGN_OR_RETURN(const Json list, Json::parse(body, "/v1/models"));
  const Json* data = list.find("data");
  const Json::Array* models = data == nullptr ? nullptr : data->as_array();
  const Json* id = models == nullptr || models->empty() ? nullptr : models->front().find("id");
  if (id != nullptr && id->as_string() != nullptr) return *id->as_string();
  return Error{.kind = ErrorKind::kDamaged, .what = "no model", .where = "/v1/models"};
}

}  // namespace

Result<LoadTarget> LoadTarget::create(Options options) {
  LoadTarget target(std::move(options));
  KVASIR_RETURN_IF_ERROR(target.connect());
  KVASIR_RETURN_IF_ERROR(target.wait_until_ready());
  KVASIR_RETURN_IF_ERROR(target.measure_words());
  return target;
}

Status LoadTarget::connect() {
  KVASIR_ASSIGN_OR_RETURN(endpoint_, parse_url(options_.url));
  client_ = std::make_unique<LoadClient>(endpoint_, options_.key);
  return ok_status();
}

Status LoadTarget::wait_until_ready() {
  const Stopwatch watch;
  while (true) {
    const Result<Answer> answer = client_->ask({.method = "GET", .path = "/v1/models"});
    if (answer.ok()) {
      KVASIR_ASSIGN_OR_RETURN(model_, first_model(answer->body));
      return ok_status();
    }
    if (watch.elapsed_ms() > 1000 * options_.ready_patience_s) return answer.error();
    std::this_thread::sleep_for(kReadyPause);
  }
}

// By what the server counts for a whole answer: not every server counts in streams.
Status LoadTarget::measure_words() {
  const std::string prompt = made_up_words(0, kMeasuredWords);
  KVASIR_ASSIGN_OR_RETURN(const Answer answer, client_->ask(whole_completion(model_, prompt)));
  Answer counted;
  KVASIR_ASSIGN_OR_RETURN(const Json body, Json::parse(answer.body, "/v1/completions"));
  read_usage(body, counted);
  if (counted.prompt_tokens > 0) {
    tokens_per_word_ = static_cast<double>(counted.prompt_tokens) / kMeasuredWords;
  }
  return ok_status();
}

Status LoadTarget::restart() {
  KVASIR_ASSIGN_OR_RETURN(options_.url, options_.restart());
  KVASIR_RETURN_IF_ERROR(connect());
  return wait_until_ready();
}

TokenSources LoadTarget::sources() {
  const Result<Answer> answer = client_->ask({.method = "GET", .path = "/metrics"});
  if (!answer.ok()) return {};
  const auto count = [&](const char* label) {
    return static_cast<int64_t>(
        metric_of(answer->body, "kvasir_prompt_tokens_by_source_total", label));
  };
  return {.is_known = answer->body.find("kvasir_prompt_tokens_by_source") != std::string::npos,
          .computed = count("source=\"computed\""),
          .ram = count("source=\"ram\""),
          .disk = count("source=\"disk\"")};
}

ServerMemory LoadTarget::memory() {
  const Result<Answer> answer = client_->ask({.method = "GET", .path = "/metrics"});
  if (!answer.ok()) return {};
  const auto bytes = [&](const char* name) {
    return static_cast<int64_t>(metric_of(answer->body, name));
  };
  return {.rss_bytes = bytes("kvasir_process_resident_memory_bytes"),
          .cache_bytes = bytes("kvasir_kv_cache_bytes")};
}

}  // namespace kvasir::bench
