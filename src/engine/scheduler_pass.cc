// What one pass computes, and what happens where it cannot.
#include <algorithm>
#include <limits>
#include <utility>

#include "base/check.h"
#include "base/stopwatch.h"
#include "engine/scheduler_state.h"

namespace kvasir {
namespace {

// The logits of so many tokens are held at a time where those of a whole prompt are wanted.
constexpr int64_t kAllLogitsTokens = 16;
// Prompts get one of so many tokens of a pass at least.
constexpr int64_t kPromptShare = 8;

}  // namespace

bool Scheduler::State::run_pass() {
  std::vector<Part> parts;
  add_decoders(parts);
  const int64_t decoder_count = std::ssize(parts);
  add_prefills(parts);
  if (parts.empty()) {
    // Whoever was held has the memory to itself now.
    for (const auto& job : jobs) job->is_held = false;
    return false;
  }
  int64_t token_count = 0;
  for (const Part& part : parts) token_count += std::ssize(part.input.tokens);
  const Stopwatch watch;
  if (!compute(parts).ok()) return false;
  ++counts.passes;
  pace.add(decoder_count, token_count - decoder_count, watch.elapsed_ms());
  for (const Part& part : parts) {
    if (part.job->phase == Job::Phase::kOver || part.input.all_logits.empty()) continue;
    take_prompt_logprobs(*part.job, part);
  }
  return true;
}

// Where more sessions decode than a pass takes tokens, they take turns and leave some for prompts;
// of passes of one token every other one is a prompt's.
int64_t Scheduler::State::decoders_max() const {
  const int64_t tokens_max = engine.info().pass_tokens_max;
  const bool is_prompt_waiting = std::ranges::any_of(
      jobs, [](const auto& job) { return job->phase == Job::Phase::kPrefill && !job->is_held; });
  if (!is_prompt_waiting) return tokens_max;
  if (tokens_max == 1) return counts.passes % 2;
  return tokens_max - std::max(int64_t{1}, tokens_max / kPromptShare);
}

void Scheduler::State::add_decoders(std::vector<Part>& parts) {
  std::vector<Part> wanting;
  for (const auto& job : jobs) {
    if (job->phase != Job::Phase::kDecode || job->is_held) continue;
    for (Answer& answer : job->answers) {
      if (answer.generation.is_done() || !answer.generation.wanted()) continue;
      if (answer.session.length() == job->length_wanted(answer)) continue;
      const auto newest = answer.generation.tokens().last(1);
      wanting.push_back({.job = job.get(),
                         .input = {.session = &answer.session, .tokens = newest},
                         .length_before = answer.session.length()});
    }
  }
  const size_t count = std::min(wanting.size(), static_cast<size_t>(decoders_max()));
  for (size_t i = 0; i < count; ++i) {
    parts.push_back(wanting[(decoder_turn + i) % wanting.size()]);
  }
  if (wanting.size() > count) decoder_turn = (decoder_turn + count) % wanting.size();
}

void Scheduler::State::add_prefills(std::vector<Part>& parts) {
  std::vector<PrefillDemand> demands;
  std::vector<Job*> demanding;
  for (const auto& job : jobs) {
    if (job->phase != Job::Phase::kPrefill || job->is_held || job->prefill_left() == 0) continue;
    int64_t cut = tokens_to_cut(*job);
    if (job->request.wants_prompt_logprobs) cut = std::min(cut, kAllLogitsTokens);
    demands.push_back({.left_tokens = tokens_to_first_answer(*job),
                       .cut_tokens = cut,
                       .waited_ms = waited_ms(*job)});
    demanding.push_back(job.get());
  }
  int64_t tokens_max = engine.info().pass_tokens_max - std::ssize(parts);
  if (!parts.empty()) {
    tokens_max = std::min(tokens_max, pace.prefill_tokens_within(options.prefill_piece_ms));
  }
  for (const PrefillPiece& piece : share_out(demands, tokens_max, pace.prefill_tokens_per_ms())) {
    Job& job = *demanding[piece.demand];
    BatchInput input{.session = &*job.session,
                     .tokens = std::span(job.request.prompt)
                                   .subspan(static_cast<size_t>(job.session->length()),
                                            static_cast<size_t>(piece.tokens))};
    if (job.request.wants_prompt_logprobs) {
      job.all_logits.resize(static_cast<size_t>(piece.tokens * engine.info().vocab_size));
      input.all_logits = job.all_logits;
    }
    parts.push_back({.job = &job, .input = input, .length_before = job.session->length()});
  }
}

// An error for all means that the pass was put off; whoever alone cannot go on has failed by then.
Status Scheduler::State::compute(std::vector<Part>& parts) {
  std::vector<BatchInput> inputs;
  int64_t new_bytes = 0;
  const ModelInfo& info = engine.info();
  const int64_t block = info.kv_block_tokens;
  for (const Part& part : parts) {
    inputs.push_back(part.input);
    const int64_t length = part.length_before + std::ssize(part.input.tokens);
    const int64_t new_blocks =
        (length + block - 1) / block - (part.length_before + block - 1) / block;
    new_bytes += new_blocks * info.kv_block_bytes;
    if (part.length_before == 0) new_bytes += info.kv_first_block_bytes - info.kv_block_bytes;
  }
  keep_to_bytes(new_bytes);
  Status status = engine.append_batch(inputs);
  while (is_out_of_memory(status) && is_untouched(parts) && kept.drop_oldest()) {
    status = engine.append_batch(inputs);
  }
  if (status.ok()) return status;
  if (is_out_of_memory(status) && hold_youngest(parts)) {
    for (const Part& part : parts) begin_again_where_logits_are_lost(part);
    return status;
  }
  compute_alone(parts);
  return ok_status();
}

bool Scheduler::State::is_untouched(std::span<const Part> parts) {
  return std::ranges::all_of(
      parts, [](const Part& part) { return part.input.session->length() == part.length_before; });
}

void Scheduler::State::begin_again_where_logits_are_lost(const Part& part) {
  if (part.input.all_logits.empty() || is_untouched({&part, 1})) return;
  part.job->session.reset();
  part.job->prompt_logprobs.clear();
  part.job->phase = Job::Phase::kStarting;
}

// One that fails must not take the others with it. What a pass has done of a part before it failed
// is not done again.
void Scheduler::State::compute_alone(std::vector<Part>& parts) {
  for (Part& part : parts) {
    if (part.job->phase == Job::Phase::kOver) continue;
    const auto done = static_cast<size_t>(part.input.session->length() - part.length_before);
    if (done == part.input.tokens.size()) continue;
    BatchInput rest = part.input;
    rest.tokens = rest.tokens.subspan(done);
    if (!rest.all_logits.empty()) {
      rest.all_logits =
          rest.all_logits.subspan(done * static_cast<size_t>(engine.info().vocab_size));
    }
    Status status = engine.append_batch({&rest, 1});
    if (!status.ok()) fail(*part.job, std::move(status).error());
  }
}

bool Scheduler::State::hold_youngest(const std::vector<Part>& parts) {
  Job* youngest = parts.front().job;
  bool is_alone = true;
  for (const Part& part : parts) {
    is_alone = is_alone && part.job == parts.front().job;
    if (part.job->id > youngest->id) youngest = part.job;
  }
  if (is_alone) return false;
  youngest->is_held = true;
  return true;
}

}  // namespace kvasir
