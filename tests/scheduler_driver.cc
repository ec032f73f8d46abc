#include "scheduler_driver.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "engine_driver.h"

namespace kvasir::testing {

using Kind = ServiceEvent::Kind;

int64_t Heard::count(Kind kind) const { return std::ranges::count(kinds, kind); }

void hear(const ServiceEvent& event, Heard& heard) {
  heard.heard_after_the_last = heard.heard_after_the_last || heard.is_over();
  EXPECT_FALSE(heard.heard_after_the_last) << "nothing follows the last event";
  heard.kinds.push_back(event.kind);
  if (event.kind == Kind::kWaiting) heard.places.push_back(event.queue_place);
  auto& tokens = heard.tokens[event.answer];
  tokens.insert(tokens.end(), event.piece.tokens.begin(), event.piece.tokens.end());
  heard.texts[event.answer] += event.piece.answer;
  if (event.kind == Kind::kEnded) heard.ends[event.answer] = event.stop_reason;
  if (event.kind == Kind::kStarted) heard.prompt_logprobs = event.prompt_logprobs;
  if (event.usage.prompt_tokens > 0) heard.usage = event.usage;
  heard.error = event.error;
}

ServiceSink into(Heard& heard) {
  return [&heard](const ServiceEvent& event) { hear(event, heard); };
}

ServiceRequest request(std::vector<int32_t> prompt, int64_t tokens_max, double temperature) {
  ServiceRequest request{.prompt = std::move(prompt)};
  request.options = {.sampling = {.temperature = temperature, .seed = 7},
                     .tokens_max = tokens_max,
                     .stops_at_end_of_text = false,
                     .wants_logprobs = true,
                     .top_logprob_count = 20};
  return request;
}

ServiceRequest request_of_ids(std::vector<int32_t> prompt, int64_t tokens_max, double temperature) {
  ServiceRequest made = request(std::move(prompt), tokens_max, temperature);
  made.reply = ReplyKind::kIds;
  return made;
}

void run(Scheduler& scheduler) {
  while (scheduler.step()) {
  }
}

void run_until_over(Scheduler& scheduler, const Heard& heard) {
  while (!heard.is_over()) ASSERT_TRUE(scheduler.step());
}

Heard alone(const ServiceRequest& request, const EngineOptions& options) {
  Engine engine = open_engine(options);
  Scheduler scheduler(engine, {});
  Heard heard;
  EXPECT_TRUE(scheduler.submit(request, into(heard)).ok());
  run(scheduler);
  EXPECT_EQ(heard.kinds.back(), Kind::kDone);
  return heard;
}

int64_t first_difference(const std::vector<SampledToken>& a, const std::vector<SampledToken>& b) {
  const auto is_same = [](const TokenLogprob& x, const TokenLogprob& y) {
    return x.id == y.id && x.logprob == y.logprob;
  };
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    if (a[i].id != b[i].id || a[i].logprob != b[i].logprob ||
        !std::ranges::equal(a[i].most_likely, b[i].most_likely, is_same)) {
      return static_cast<int64_t>(i);
    }
  }
  return a.size() == b.size() ? -1 : static_cast<int64_t>(std::min(a.size(), b.size()));
}

void expect_same_bits(const std::vector<SampledToken>& a, const std::vector<SampledToken>& b) {
  EXPECT_EQ(first_difference(a, b), -1) << a.size() << " and " << b.size() << " tokens";
}

std::vector<int32_t> joined(std::vector<int32_t> a, const std::vector<int32_t>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

EngineOptions bundled() {
  return {.model_path = std::string(KVASIR_SOURCE_DIR) + "/models/kvasir-tiny", .thread_count = 2};
}

EngineOptions golden_decoder(const std::string& name) {
  return {.model_path = std::string(KVASIR_SOURCE_DIR) + "/tests/golden/decoders/" + name,
          .thread_count = 1,
          .needs_text = false};
}

}  // namespace kvasir::testing
