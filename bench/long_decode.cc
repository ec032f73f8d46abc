#include "bench/long_decode.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>

#include "base/aligned_buffer.h"
#include "base/process_memory.h"
#include "base/random.h"
#include "base/stopwatch.h"
#include "bench/flash_cache.h"
#include "bench/pick_shares.h"
#include "model/deepseek_v4/geometry.h"
#include "ops/ops.h"
#include "ops/picked_rows.h"

namespace kvasir::bench {
namespace {

// DeepSeek-V4-Flash.
constexpr int64_t kHeads = 64;
constexpr int64_t kIndexHeads = 64;

float normal(Random& random) {
  // The sum of twelve uniform draws, near enough to a normal one.
  float sum = -6;
  for (int i = 0; i < 12; ++i) sum += static_cast<float>(random.unit());
  return sum;
}

// Rows are drawn from a pool of encoded ones; keys are all different.
class RowMaker {
 public:
  RowMaker(const kv::CacheLayout& layout, const kernels::KernelTable& table)
      : layout_(layout), geometry_(model::deepseek_v4::geometry_of(layout)) {
    const int64_t dim = geometry_.row.dim;
    std::vector<float> source(static_cast<size_t>(dim));
    rows_.resize(static_cast<size_t>(kPoolRows * geometry_.row.bytes()));
    for (int64_t row = 0; row < kPoolRows; ++row) {
      for (float& value : source) value = normal(random_);
      table.encode_row(geometry_.row, source.data(), rows_.data() + row * geometry_.row.bytes());
    }
  }

  // All rows and keys that the tokens [begin, end) complete.
  void write(kv::Sequence& sequence, int64_t begin, int64_t end) {
    for_each_new_row(layout_, begin, end, [&](int64_t stream, int64_t row) {
      std::byte* target = sequence.writable_row(stream, row);
      const kv::Role role = layout_.streams[static_cast<size_t>(stream)].spec.role;
      if (role == kv::Role::kIndexKeys) return write_key(target);
      std::memcpy(target, rows_.data() + random_.below(kPoolRows) * geometry_.row.bytes(),
                  static_cast<size_t>(geometry_.row.bytes()));
    });
  }

 private:
  static constexpr int64_t kPoolRows = 1024;

  // Any codes are a key; the scales are those of values around 1.
  void write_key(std::byte* key) {
    const int64_t code_bytes = geometry_.key.dim / 2;
    for (int64_t i = 0; i < code_bytes; i += 8) {
      const uint64_t word = random_.bits();
      std::memcpy(key + i, &word, sizeof word);
    }
    std::memset(key + code_bytes, 126, static_cast<size_t>(geometry_.key.bytes() - code_bytes));
  }

  const kv::CacheLayout& layout_;
  model::deepseek_v4::Geometry geometry_;
  Random random_{3};
  std::vector<std::byte> rows_;
};

// work() runs when the tokens' rows are there, before the sequence counts them: a pass.
template <class Work>
Status append(persist::Persistence& persistence, persist::Resumed& live, RowMaker& rows,
              std::span<const int32_t> tokens, const Work& work) {
  const int64_t begin = live.sequence.length();
  const persist::Appending pass{
      .sequence = &live.sequence, .recorder = &live.recorder, .token_count = std::ssize(tokens)};
  KVASIR_RETURN_IF_ERROR(persistence.make_room({&pass, 1}));
  KVASIR_ASSIGN_OR_RETURN(kv::Block state_memory,
                          live.recorder.state_memory(live.sequence, std::ssize(tokens)));
  KVASIR_RETURN_IF_ERROR(live.sequence.begin_append(tokens));
  rows.write(live.sequence, begin, begin + std::ssize(tokens));
  KVASIR_RETURN_IF_ERROR(work());
  live.sequence.finish_append();
  live.recorder.after_pass(live.sequence, std::move(state_memory));
  return ok_status();
}

// ---- decoding ----

// What a layer asks of its index keys: one part that stays and one that is each token's own.
class IndexQueries {
 public:
  // correlation: of any two tokens' queries.
  IndexQueries(const model::deepseek_v4::Geometry& geometry, double correlation)
      : lasting_share_(static_cast<float>(std::sqrt(correlation))),
        fresh_share_(static_cast<float>(std::sqrt(1 - correlation))),
        lasting_(geometry.layers.size()),
        query_(static_cast<size_t>(kIndexHeads * geometry.key.dim)) {}

  std::span<const float> next(int64_t layer) {
    std::vector<float>& lasting = lasting_[static_cast<size_t>(layer)];
    if (lasting.empty()) {
      lasting.resize(query_.size());
      for (float& value : lasting) value = normal(random_);
    }
    for (size_t i = 0; i < query_.size(); ++i)
      query_[i] = lasting_share_ * lasting[i] + fresh_share_ * normal(random_);
    return query_;
  }

 private:
  float lasting_share_;
  float fresh_share_;
  Random random_{5};
  std::vector<std::vector<float>> lasting_;  // [layers]
  std::vector<float> query_;                 // [index heads, dim]
};

// Runs the cache work of one token after the other, layer by layer, and times it.
class Decoder {
 public:
  // length_max: tokens of the sequence, in the end.
  Decoder(const LongDecodeOptions& options, const kv::CacheLayout& layout, int64_t length_max,
          kv::RowCache* row_cache)
      : options_(options),
        geometry_(model::deepseek_v4::geometry_of(layout)),
        row_cache_(row_cache),
        ops_(options.instruction_set->table, options.thread_count, 0,
             kernels::attend_scratch_floats(geometry_.row, kHeads)),
        queries_(geometry_, options.query_correlation),
        pick_shares_(geometry_.layers.size()) {
    for (int64_t i = 0; i < query_.size(); ++i) query_[i] = normal(random_);
    for (int64_t head = 0; head < kIndexHeads; ++head) head_weights_[head] = normal(random_);
    encoded_.emplace_back(kernels::index_query_bytes(geometry_.key, kIndexHeads));
    scores_.emplace_back(length_max);
    for (int i = 0; i < options.thread_count; ++i) row_lists_.emplace_back(length_max + kFlashTopK);
  }

  // One token through all layers' caches.
  Status step(kv::Sequence& sequence, int32_t token) {
    batch_.clear();
    batch_.add(sequence, {&token, 1});
    for (int64_t layer = 0; layer < std::ssize(geometry_.layers); ++layer) {
      const auto& streams = geometry_.of(layer);
      if (streams.keys >= 0) pick(layer, streams.keys);
      KVASIR_RETURN_IF_ERROR(fetch(streams.rows));
      attend(streams);
    }
    return ok_status();
  }

  // What the cores multiply of bytes in registers, for as long as a layer's scan or so; between
  // the tokens, as this machine may be faster at one time than at another.
  void measure_byte_rate() {
    const kernels::PeakLoops* loops = options_.instruction_set->peak_loops;
    if (loops == nullptr) return;
    constexpr int64_t kRounds = 100'000;
    std::vector<int64_t> products(static_cast<size_t>(4 * options_.thread_count));
    const Stopwatch watch;
    ops_.parallel_for(std::ssize(products), [&](int64_t piece, int) {
      float sink = 1;
      products[static_cast<size_t>(piece)] = loops->multiply_add_bytes(kRounds, &sink);
    });
    peak_ms_ += watch.elapsed_ms();
    for (const int64_t count : products) peak_products_ += count;
  }

  void begin_measuring() {
    times_ = {};
    stats_before_ = stats();
    pick_shares_.begin_measuring();
    scan_products_ = 0;
    peak_products_ = 0;
    peak_ms_ = 0;
  }

  // Of what was measured since.
  LongDecode result(int64_t token_count) const {
    const auto tokens = static_cast<double>(token_count);
    LongDecode result = times_;
    result.scan_ms /= tokens;
    result.top_k_ms /= tokens;
    result.fetch_ms /= tokens;
    result.attend_ms /= tokens;
    if (peak_products_ != 0) {
      result.scan_limit_ms = static_cast<double>(scan_products_) / tokens * peak_ms_ /
                             static_cast<double>(peak_products_);
    }
    const auto read = static_cast<double>(stats().read_rows - stats_before_.read_rows);
    const auto asked = static_cast<double>(pick_shares_.asked());
    result.asked_rows = asked / tokens;
    result.read_rows = read / tokens;
    result.hit_share = asked > 0 ? 1 - read / asked : 0;
    result.kept_share = pick_shares_.kept_share();
    result.recent_share = pick_shares_.recent_share();
    return result;
  }

 private:
  kv::RowCacheStats stats() const { return row_cache_ ? row_cache_->stats() : kv::RowCacheStats(); }
  ops::Picks picks() {
    return {.rows = ops::view_of(picked_, 1, kFlashTopK),
            .counts = &picked_count_,
            .places = ops::view_of(places_, 1, kFlashTopK)};
  }

  void pick(int64_t layer, int64_t stream) {
    const std::span<const float> query = queries_.next(layer);
    const ops::PickStep step{.batch = batch_,
                             .stream = stream,
                             .head_count = kIndexHeads,
                             .queries = ops::view_of(query.data(), 1, std::ssize(query)),
                             .head_weights = ops::view_of(head_weights_, 1, kIndexHeads),
                             .encoded_queries = encoded_,
                             .scores = scores_,
                             .picks = picks()};
    const Stopwatch scan;
    ops_.score_rows(step, 0);
    times_.scan_ms += scan.elapsed_ms();
    scan_products_ += batch_.complete_rows(0, stream) * kIndexHeads * geometry_.key.dim;
    const Stopwatch top_k;
    ops_.pick_best(step, 0, scores_.front().data());
    times_.top_k_ms += top_k.elapsed_ms();
    pick_shares_.add(layer, {picked_.data(), static_cast<size_t>(picked_count_)});
  }

  Status fetch(int64_t stream) {
    const Stopwatch watch;
    ops::PickedRows rows(batch_, stream, picks(), row_cache_);
    KVASIR_RETURN_IF_ERROR(rows.next());
    times_.fetch_ms += watch.elapsed_ms();
    return ok_status();
  }

  void attend(const model::deepseek_v4::LayerStreams& streams) {
    const Stopwatch watch;
    ops_.attend({.batch = batch_,
                 .seen = {.window_stream = streams.window,
                          .new_rows = ops::view_of(new_row_, 1, new_row_.size()),
                          .row_stream = streams.rows,
                          .picks = picks()},
                 .queries = ops::view_of(query_, 1, query_.size()),
                 .sinks = sinks_.data(),
                 .attended = ops::view_of(attended_, 1, attended_.size()),
                 .row_lists = row_lists_},
                {.begin = 0, .end = 1});
    times_.attend_ms += watch.elapsed_ms();
  }

  const LongDecodeOptions& options_;
  const model::deepseek_v4::Geometry geometry_;
  kv::RowCache* row_cache_;
  ops::Ops ops_;
  ops::Batch batch_{1};
  Random random_{5};
  IndexQueries queries_;
  PickShares pick_shares_;
  AlignedBuffer<float> query_{kHeads * geometry_.row.dim};
  AlignedBuffer<float> sinks_{kHeads};
  AlignedBuffer<float> attended_{query_.size()};
  AlignedBuffer<std::byte> new_row_{geometry_.row.bytes()};
  AlignedBuffer<float> head_weights_{kIndexHeads};
  std::vector<AlignedBuffer<std::byte>> encoded_;
  std::vector<AlignedBuffer<float>> scores_;
  AlignedBuffer<int32_t> picked_{kFlashTopK};  // by the layer at hand
  int32_t picked_count_ = 0;
  AlignedBuffer<const std::byte*> places_{kFlashTopK};
  std::vector<AlignedBuffer<const std::byte*>> row_lists_;  // [threads]
  LongDecode times_;
  kv::RowCacheStats stats_before_;
  int64_t scan_products_ = 0;
  int64_t peak_products_ = 0;
  double peak_ms_ = 0;
};

}  // namespace

Result<LongContext> LongContext::create(const std::string& directory, int64_t context_tokens,
                                        int64_t ram_bytes,
                                        const kernels::InstructionSet& instruction_set) {
  KVASIR_ASSIGN_OR_RETURN(ScratchFolder folder, ScratchFolder::create(directory));
  LongContext context(std::move(folder));
  const auto layout = flash_layout();
  const auto account = std::make_shared<kv::MemoryAccount>();
  KVASIR_ASSIGN_OR_RETURN(
      auto persistence, open_flash_persistence(context.folder_.path(), layout, account, ram_bytes));
  RowMaker rows(*layout, instruction_set.table);
  Random random(7);
  KVASIR_ASSIGN_OR_RETURN(persist::Resumed live, persistence->resume({}, 0));
  std::vector<int32_t> tokens(kv::kBlockTokens);
  while (context.context_tokens() + kv::kBlockTokens <= context_tokens) {
    for (int32_t& token : tokens) token = static_cast<int32_t>(random.below(kFlashVocabSize));
    KVASIR_RETURN_IF_ERROR(append(*persistence, live, rows, tokens, ok_status));
    context.tokens_.insert(context.tokens_.end(), tokens.begin(), tokens.end());
  }
  live.recorder.mark_resumable();
  persistence->drain();
  if (auto error = persistence->take_error()) return std::move(*error);
  KVASIR_RETURN_IF_ERROR(persistence->store().sync());
  if (persistence->residency() != nullptr) {
    context.ram_bytes_min_ = persistence->residency()->bytes_min(context.context_tokens());
  }
  return context;
}

Result<LongDecode> LongContext::measure(const LongDecodeOptions& options) const {
  forget_rss_peak();
  const auto layout = flash_layout();
  const auto account = std::make_shared<kv::MemoryAccount>();
  KVASIR_ASSIGN_OR_RETURN(
      auto persistence, open_flash_persistence(folder_.path(), layout, account, options.ram_bytes));
  KVASIR_ASSIGN_OR_RETURN(persist::Resumed live, persistence->resume(tokens_, context_tokens()));
  if (live.sequence.length() != context_tokens()) {
    return Error{
        .kind = ErrorKind::kIo, .what = "the context was not found whole", .where = folder_.path()};
  }
  persist::Residency* residency = persistence->residency();
  RowMaker rows(*layout, options.instruction_set->table);
  const int64_t steps = options.warmup_tokens + options.measured_tokens;
  Decoder decoder(options, *layout, context_tokens() + steps,
                  residency != nullptr ? residency->rows() : nullptr);
  Random random(11);
  int64_t read_bytes_before = 0;
  for (int64_t step = 0; step < steps; ++step) {
    if (step == options.warmup_tokens) {
      decoder.begin_measuring();
      read_bytes_before = persistence->metrics()[StoreMetric::kPieceReadBytes];
    }
    const auto token = static_cast<int32_t>(random.below(kFlashVocabSize));
    KVASIR_RETURN_IF_ERROR(append(*persistence, live, rows, {&token, 1},
                                  [&] { return decoder.step(live.sequence, token); }));
    decoder.measure_byte_rate();
  }
  LongDecode result = decoder.result(options.measured_tokens);
  result.context_tokens = context_tokens();
  result.read_bytes = static_cast<double>(persistence->metrics()[StoreMetric::kPieceReadBytes] -
                                          read_bytes_before) /
                      static_cast<double>(options.measured_tokens);
  result.kv_bytes = account->allocated_bytes();
  result.rss_peak_bytes = rss_peak_bytes();
  return result;
}

}  // namespace kvasir::bench
