#include "kvasir/engine.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/check.h"
#include "base/digest.h"
#include "base/processors.h"
#include "calibration/calibration_file.h"
#include "calibration/side_data.h"
#include "engine/engine_state.h"
#include "kernels/instruction_sets.h"
#include "model/registry.h"
#include "persist/archive.h"
#include "persist/nearest_stored.h"
#include "persist/prefix_chain.h"
#include "text/template_transcript.h"
#include "text/tokenizer.h"

namespace kvasir {
namespace {

constexpr int kThreadCountMax = 1024;

// By the bytes that activations have as integers.
constexpr const char* kArithmeticNames[] = {"f32", "int8", "int"};
constexpr Arithmetic kArithmetics[] = {Arithmetic::kFloat, Arithmetic::kInteger8,
                                       Arithmetic::kInteger};

std::string sets_of_this_machine() {
  std::string names = "auto";
  for (const kernels::InstructionSet& set : kernels::instruction_sets()) {
    if (set.is_supported()) names += std::string(", ") + set.table.name;
  }
  return names;
}

Result<const kernels::InstructionSet*> choose_instruction_set(const std::string& name) {
  if (name.empty() || name == "auto") return &kernels::best_instruction_set();
  const kernels::InstructionSet* set = kernels::find_instruction_set(name);
  if (set != nullptr && set->is_supported()) return set;
  return Error{.kind = set == nullptr ? ErrorKind::kUsage : ErrorKind::kUnsupported,
               .what = set == nullptr ? "no such instruction set"
                                      : "this processor lacks the instruction set",
               .field = "instruction_set",
               .expected = "one of " + sets_of_this_machine(),
               .found = name,
               .remedy = "leave it out to use the best one"};
}

Result<Arithmetic> choose_arithmetic(const std::string& name) {
  if (name.empty() || name == "auto") return Arithmetic::kBest;
  std::string names = "auto";
  for (size_t i = 0; i < std::size(kArithmetics); ++i) {
    if (name == kArithmeticNames[i]) return kArithmetics[i];
    names += std::string(", ") + kArithmeticNames[i];
  }
  return Error{.kind = ErrorKind::kUsage,
               .what = "no such arithmetic",
               .field = "compute",
               .expected = "one of " + names,
               .found = name};
}

// None where threads are not to be bound.
Result<std::vector<int>> choose_processors(const EngineOptions& options, int thread_count) {
  if (!options.pin_threads) return std::vector<int>();
  std::vector<int> processors = processors_by_core();
  const auto count = static_cast<size_t>(thread_count);
  if (processors.size() < count) {
    return Error{.kind = processors.empty() ? ErrorKind::kUnsupported : ErrorKind::kUsage,
                 .what = processors.empty() ? "the system does not say which processors there are"
                                            : "more threads than processors to bind them to",
                 .field = processors.empty() ? "pin_threads" : "thread_count",
                 .expected = "at most " + std::to_string(processors.size()),
                 .found = std::to_string(thread_count),
                 .remedy = "ask for fewer threads, or let them run anywhere"};
  }
  processors.resize(count);
  return processors;
}

Result<model::ModelOptions> model_options(const EngineOptions& options) {
  KVASIR_ASSIGN_OR_RETURN(const kernels::InstructionSet* set,
                          choose_instruction_set(options.instruction_set));
  const int thread_count =
      options.thread_count == 0 ? processors_of_this_process() : options.thread_count;
  if (thread_count < 1 || thread_count > kThreadCountMax) {
    return Error{.kind = ErrorKind::kUsage,
                 .what = "thread count out of range",
                 .field = "thread_count",
                 .expected = "1 to " + std::to_string(kThreadCountMax),
                 .found = std::to_string(thread_count)};
  }
  if (options.chunk_tokens < 1 || options.chunk_tokens > model::kPassTokensMax) {
    return Error{.kind = ErrorKind::kUsage,
                 .what = "chunk size out of range",
                 .field = "chunk_tokens",
                 .expected = "1 to " + std::to_string(model::kPassTokensMax) + " tokens",
                 .found = std::to_string(options.chunk_tokens)};
  }
  if (options.context_tokens < 0) {
    return Error{.kind = ErrorKind::kUsage,
                 .what = "context out of range",
                 .field = "context_tokens",
                 .expected = "0 or more",
                 .found = std::to_string(options.context_tokens)};
  }
  if (options.study.visible_rows.index_top_k < 0) {
    return Error{.kind = ErrorKind::kUsage,
                 .what = "index top-k out of range",
                 .field = "index_top_k",
                 .expected = "0 or more",
                 .found = std::to_string(options.study.visible_rows.index_top_k)};
  }
  KVASIR_ASSIGN_OR_RETURN(const Arithmetic arithmetic, choose_arithmetic(options.compute));
  KVASIR_ASSIGN_OR_RETURN(std::vector<int> processors, choose_processors(options, thread_count));
  return model::ModelOptions{.precision = options.kv,
                             .table = &set->table,
                             .thread_count = thread_count,
                             .processors = std::move(processors),
                             .pass_tokens_max = options.chunk_tokens,
                             .context_tokens = options.context_tokens,
                             .arithmetic = arithmetic,
                             .panels_folder = options.panels_folder,
                             .study = options.study};
}

// The model, with what was learnt of it where a file is named, and its fingerprint, for which all
// weights are read: once.
Status open_model(const EngineOptions& options, model::ModelOptions chosen, Engine::State& state) {
  std::shared_ptr<const calibration::Calibration> learnt;
  if (!options.kv_data.empty()) {
    KVASIR_ASSIGN_OR_RETURN(calibration::Calibration loaded,
                            calibration::load_calibration(options.kv_data));
    learnt = std::make_shared<const calibration::Calibration>(std::move(loaded));
    chosen.side_source = calibration::side_source(learnt);
  }
  KVASIR_ASSIGN_OR_RETURN(state.model, model::open(options.model_path, chosen));
  state.model_fingerprint = state.model->fingerprint();
  if (!learnt || learnt->model == state.model_fingerprint) return ok_status();
  return Error{.kind = ErrorKind::kUsage,
               .what = "it was learnt of another model",
               .field = "kv_data",
               .where = options.kv_data,
               .expected = options.model_path,
               .remedy =
                   "learn from this one with 'kvasir calibrate', and for the same context where "
                   "that chooses the model's rope"};
}

// These words are a part of prefix keys. A model without integer matrices has one arithmetic, and
// keeps the keys that it had before there were several.
std::string arithmetic_of(const model::Model& model) {
  const std::string study = model.study_name();
  const int activation_bytes = model.facts().activation_bytes;
  if (activation_bytes == 0) return study;
  const std::string name = kArithmeticNames[activation_bytes];
  return study.empty() ? name : name + " " + study;
}

// What names all that the rows of a cache depend on names what logits do.
std::string fingerprint_of(const Engine::State& state) {
  const std::string arithmetic = arithmetic_of(*state.model);
  const Digest256 key = persist::root_key(
      {.model = state.model_fingerprint, .arithmetic = arithmetic}, *state.model->layout());
  return "fp_" + to_hex(key).substr(0, 16);
}

ModelInfo model_info(const Engine::State& state) {
  const model::Model& model = *state.model;
  const model::Facts& facts = model.facts();
  return {.vocab_size = facts.vocab_size,
          .hidden_size = facts.hidden_size,
          .layer_count = facts.layer_count,
          .context_tokens_max = facts.context_tokens_max,
          .weight_bytes = facts.weight_bytes,
          .copied_bytes = facts.copied_bytes,
          .mapped_panel_bytes = facts.mapped_panel_bytes,
          .kv_block_bytes = model.layout()->block_bytes(),
          .kv_first_block_bytes = model.layout()->block_bytes_of(0),
          .kv_block_tokens = kv::kBlockTokens,
          .kv_fixed_bytes = model.layout()->fixed_bytes(),
          .fingerprint = fingerprint_of(state),
          .pass_tokens_max = model.options().pass_tokens_max,
          .thread_count = model.options().thread_count,
          .instruction_set = model.options().table->name,
          .compute = kArithmeticNames[facts.activation_bytes]};
}

std::string absolute_path(const std::string& path) {
  std::error_code error;
  const auto absolute = std::filesystem::absolute(path, error);
  return error ? path : absolute.lexically_normal().string();
}

// How long the remote tier may take for what was saved last.
constexpr std::chrono::seconds kRemoteFlushTime(10);

// How fast prompts will be computed, before any was: faster than it will be, so that the remote
// tier is waited for too short a time at first rather than too long. One multiply-add a byte of
// weights, and no processor does more of these a second.
constexpr double kMultiplyAddsPerThreadS = 1e11;
double expected_tokens_per_s(const Engine::State& state) {
  return kMultiplyAddsPerThreadS * state.info.thread_count /
         static_cast<double>(std::max<uint64_t>(1, state.info.weight_bytes));
}

Result<std::unique_ptr<persist::Persistence>> open_persistence(const EngineOptions& options,
                                                               const Engine::State& state) {
  auto persistence = persist::Persistence::open(*options.store,
                                                {.model = state.model_fingerprint,
                                                 .arithmetic = arithmetic_of(*state.model),
                                                 .salt = options.store->salt,
                                                 .model_path = absolute_path(options.model_path)},
                                                state.model->layout(), state.account);
  if (persistence.ok()) return persistence;
  Error error = std::move(persistence).error();
  if (error.field.empty()) error.field = "store";
  return error;
}

Status set_ram_budget(const EngineOptions& options, Engine::State& state) {
  if (options.ram_bytes < 0) {
    return Error{.kind = ErrorKind::kUsage,
                 .what = "a negative RAM budget",
                 .field = "ram_bytes",
                 .found = std::to_string(options.ram_bytes)};
  }
  if (!state.persistence) {
    return Error{.kind = ErrorKind::kUsage,
                 .what = "a RAM budget needs a store for what does not fit",
                 .field = "ram_bytes",
                 .remedy = "name a store, or drop the budget"};
  }
  return state.persistence->set_ram_budget(
      {.budget_bytes = options.ram_bytes,
       .pass = {.tokens_max = options.chunk_tokens,
                .picked_rows_max = state.model->facts().picked_rows_max}});
}

// Tokenizer and chat template.
Status open_text(const EngineOptions& options, Engine::State& state) {
  KVASIR_ASSIGN_OR_RETURN(text::Tokenizer tokenizer, text::Tokenizer::open(options.model_path));
  if (tokenizer.vocab_size() > state.info.vocab_size) {
    return Error{.kind = ErrorKind::kDamaged,
                 .what = "the tokenizer has ids that the model lacks",
                 .where = options.model_path,
                 .expected = "at most " + std::to_string(state.info.vocab_size) + " ids",
                 .found = std::to_string(tokenizer.vocab_size())};
  }
  state.end_ids = tokenizer.frame().ends;
  state.tokenizer = std::make_unique<text::Tokenizer>(std::move(tokenizer));
  KVASIR_ASSIGN_OR_RETURN(auto chat_template, text::open_chat_template(options.model_path));
  if (chat_template) {
    state.chat_template = std::make_unique<text::ChatTemplate>(std::move(*chat_template));
  }
  return ok_status();
}

}  // namespace

std::vector<std::string> instruction_sets() {
  std::vector<std::string> names;
  for (const kernels::InstructionSet& set : kernels::instruction_sets()) {
    names.emplace_back(set.table.name);
  }
  return names;
}

Engine::State::State() = default;
Engine::State::~State() = default;

Engine::Engine(std::unique_ptr<State> state) : state_(std::move(state)) {}
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;
Engine::~Engine() = default;

Result<Engine> Engine::open(const EngineOptions& options) {
  KVASIR_ASSIGN_OR_RETURN(model::ModelOptions chosen, model_options(options));
  auto state = std::make_unique<State>();
  KVASIR_RETURN_IF_ERROR(open_model(options, std::move(chosen), *state));
  state->model_path = options.model_path;
  state->info = model_info(*state);
  if (options.needs_text) KVASIR_RETURN_IF_ERROR(open_text(options, *state));
  for (const int64_t id : state->model->facts().eos_token_ids) {
    state->end_ids.push_back(static_cast<int32_t>(id));
  }
  if (options.store) {
    KVASIR_ASSIGN_OR_RETURN(state->persistence, open_persistence(options, *state));
    if (state->persistence->remote() != nullptr) {
      state->persistence->remote()->expect_speed(expected_tokens_per_s(*state));
    }
  }
  if (options.ram_bytes != 0) KVASIR_RETURN_IF_ERROR(set_ram_budget(options, *state));
  return Engine(std::move(state));
}

const ModelInfo& Engine::info() const { return state_->info; }

std::vector<Error> Engine::load_notes() const {
  const std::optional<Error>& note = state_->model->facts().panels_note;
  return note ? std::vector<Error>{*note} : std::vector<Error>{};
}

std::string Engine::store_root() const {
  return state_->persistence ? to_hex(state_->persistence->root_of("")) : std::string();
}

int64_t Engine::kv_bytes() const { return state_->account->allocated_bytes(); }

int64_t Engine::pass_buffer_bytes() const { return state_->model->pass_buffer_bytes(); }

Result<Session> Engine::new_session(const SessionOptions& options) { return resume({}, options); }

Result<Session> Engine::resume(std::span<const int32_t> tokens, const SessionOptions& options) {
  const RemoteFetch fetch = state_->begin_fetch(tokens, options);
  fetch.wait();
  return state_->resume_session(tokens, options, fetch);
}

int64_t Engine::resumable_tokens(std::span<const int32_t> tokens,
                                 const SessionOptions& options) const {
  persist::Persistence* persistence = state_->persistence.get();
  if (persistence == nullptr) return 0;
  return persistence->resumable_tokens(persistence->root_of(options.salt), tokens,
                                       std::ssize(tokens) - 1);
}

StoredLikeness Engine::nearest_stored(std::span<const int32_t> tokens,
                                      const SessionOptions& options) const {
  persist::Persistence* persistence = state_->persistence.get();
  if (persistence == nullptr) return {};
  return persist::nearest_stored(persistence->store(), persistence->root_of(options.salt), tokens);
}

Status Engine::append_batch(std::span<const BatchInput> inputs) {
  return state_->append_batch(inputs);
}

std::string Engine::key_of(std::span<const int32_t> tokens, const SessionOptions& options) const {
  persist::Persistence* persistence = state_->persistence.get();
  if (persistence == nullptr) return {};
  const std::vector<store::Key> keys =
      persist::block_keys(persistence->root_of(options.salt), tokens);
  return keys.empty() ? std::string() : to_hex(keys.back());
}

Result<ImportReport> Engine::export_to(const std::string& key, const std::string& path) const {
  const std::optional<Digest256> last = digest_of_hex(key);
  if (!last || !state_->persistence) {
    return Error{
        .kind = ErrorKind::kNotFound, .what = "nothing of that is in a store", .found = key};
  }
  return persist::export_chain(state_->persistence->store(), *last, *store::posix_file_system(),
                               path);
}

Result<ImportReport> Engine::import_from(const std::string& path) {
  if (!saves()) return Error{.kind = ErrorKind::kUnsupported, .what = "there is no store to write"};
  return persist::import_archive(state_->persistence->store(), *store::posix_file_system(), path);
}

Status Engine::keep(std::span<const int32_t> tokens, const Keep& keep,
                    const SessionOptions& options) {
  if (!saves()) return ok_status();
  return state_->persistence->keep(state_->persistence->root_of(options.salt), tokens, keep);
}

Status Engine::flush_store() {
  if (!state_->persistence) return ok_status();
  state_->persistence->drain();
  if (persist::RemoteChains* remote = state_->persistence->remote()) {
    (void)remote->tier().flush(std::chrono::steady_clock::now() + kRemoteFlushTime);
  }
  std::optional<Error> error = state_->persistence->take_error();
  if (error) return std::move(*error);
  return ok_status();
}

StoreMetrics Engine::store_metrics() const {
  return state_->persistence ? state_->persistence->metrics() : StoreMetrics{};
}

RemoteMetrics Engine::remote_metrics() const {
  persist::RemoteChains* remote = state_->persistence ? state_->persistence->remote() : nullptr;
  return remote != nullptr ? remote->tier().metrics() : RemoteMetrics{};
}

std::vector<Error> Engine::store_notes() const {
  return state_->persistence ? state_->persistence->notes() : std::vector<Error>();
}

bool Engine::saves() const { return state_->persistence && state_->persistence->saves(); }

int64_t Engine::ram_bytes_min(int64_t token_count) const {
  return state_->residency() == nullptr ? 0 : state_->residency()->bytes_min(token_count);
}

Status Engine::check_ram(int64_t token_count) const { return state_->check_ram(token_count); }

Status Engine::check_tokens(std::span<const int32_t> tokens) const {
  return state_->check_tokens(tokens);
}

Status Engine::State::check_tokens(std::span<const int32_t> tokens) const {
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i] >= 0 && tokens[i] < info.vocab_size) continue;
    return Error{.kind = ErrorKind::kUsage,
                 .what = "token id outside the vocabulary",
                 .where = "token " + std::to_string(i),
                 .expected = "0 to " + std::to_string(info.vocab_size - 1),
                 .found = std::to_string(tokens[i])};
  }
  return ok_status();
}

Result<const text::Tokenizer*> Engine::State::require_tokenizer() const {
  if (tokenizer) return tokenizer.get();
  return Error{.kind = ErrorKind::kUsage,
               .what = "this engine was opened without a tokenizer",
               .where = model_path};
}

Result<std::vector<int32_t>> Engine::encode(std::string_view text) const {
  KVASIR_ASSIGN_OR_RETURN(const text::Tokenizer* tokenizer, state_->require_tokenizer());
  const model::Facts& facts = state_->model->facts();
  std::vector<int32_t> ids = tokenizer->frame().before;
  if (facts.begins_with_bos) ids = {static_cast<int32_t>(facts.bos_token_id)};
  const std::vector<int32_t> plain = tokenizer->encode(text, text::SpecialTokens::kIgnore);
  ids.insert(ids.end(), plain.begin(), plain.end());
  return ids;
}

Result<std::vector<int32_t>> Engine::encode_with_markers(std::string_view text) const {
  KVASIR_ASSIGN_OR_RETURN(const text::Tokenizer* tokenizer, state_->require_tokenizer());
  return tokenizer->encode(text, text::SpecialTokens::kMatch);
}

Result<std::string_view> Engine::token_bytes(int32_t id) const {
  KVASIR_ASSIGN_OR_RETURN(const text::Tokenizer* tokenizer, state_->require_tokenizer());
  return tokenizer->token_bytes(id);
}

Result<std::string> Engine::decode(std::span<const int32_t> ids) const {
  KVASIR_ASSIGN_OR_RETURN(const text::Tokenizer* tokenizer, state_->require_tokenizer());
  return tokenizer->decode(ids);
}

}  // namespace kvasir
