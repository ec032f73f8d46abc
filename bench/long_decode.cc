#include "bench/long_decode.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>

#include "base/aligned_buffer.h"
#include "base/process_memory.h"
#include "base/random.h"
#include "base/stopwatch.h"
#include "base/thread_pool.h"
#include "bench/flash_cache.h"
#include "bench/pick_shares.h"
#include "kv/index_scan.h"
#include "model/deepseek_v4/geometry.h"

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

Status append(persist::Persistence& persistence, persist::Resumed& live, RowMaker& rows,
              std::span<const int32_t> tokens) {
  const int64_t begin = live.sequence.length();
  const persist::Appending pass{
      .sequence = &live.sequence, .recorder = &live.recorder, .token_count = std::ssize(tokens)};
  KVASIR_RETURN_IF_ERROR(persistence.make_room({&pass, 1}));
  KVASIR_ASSIGN_OR_RETURN(kv::Block state_memory,
                          live.recorder.state_memory(live.sequence, std::ssize(tokens)));
  KVASIR_RETURN_IF_ERROR(live.sequence.begin_append(tokens));
  rows.write(live.sequence, begin, begin + std::ssize(tokens));
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

class Decoder {
 public:
  Decoder(const LongDecodeOptions& options, const kv::CacheLayout& layout,
          const kv::Sequence& sequence, kv::RowCache* row_cache)
      : options_(options),
        geometry_(model::deepseek_v4::geometry_of(layout)),
        sequence_(sequence),
        row_cache_(row_cache),
        table_(options.instruction_set->table),
        pool_(options.thread_count),
        queries_(geometry_, options.query_correlation),
        pick_shares_(geometry_.layers.size()),
        query_(static_cast<size_t>(kHeads * geometry_.row.dim)),
        sinks_(kHeads),
        attended_(static_cast<size_t>(kHeads * geometry_.row.dim)),
        scratch_floats_(kernels::attend_scratch_floats(geometry_.row, kHeads)),
        scratch_(static_cast<size_t>(scratch_floats_ * options.thread_count)),
        encoded_(kernels::index_query_bytes(geometry_.key, kIndexHeads)) {
    for (float& value : query_) value = normal(random_);
    for (int64_t head = 0; head < kIndexHeads; ++head) head_weights_.push_back(normal(random_));
  }

  // One token through all layers' caches.
  Status step() {
    const int64_t length = sequence_.length();
    for (int64_t layer = 0; layer < std::ssize(geometry_.layers); ++layer) {
      visible_.clear();
      const auto& streams = geometry_.of(layer);
      const int64_t window_tokens = spec_of(streams.window).window_tokens;
      for (int64_t p = std::max<int64_t>(0, length - window_tokens); p < length; ++p) {
        visible_.push_back(sequence_.window_row(streams.window, p));
      }
      const int64_t row_count = streams.rows < 0 ? 0 : kv::row_count(spec_of(streams.rows), length);
      if (streams.keys >= 0) {
        pick(layer, row_count);
        KVASIR_RETURN_IF_ERROR(fetch(streams.rows));
      } else {
        for (int64_t row = 0; row < row_count; ++row) {
          visible_.push_back(sequence_.row(streams.rows, row));
        }
      }
      attend();
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
    pool_.parallel_for(std::ssize(products), [&](int64_t piece, int) {
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
  const kv::Stream& spec_of(int64_t stream) const {
    return sequence_.layout().streams[static_cast<size_t>(stream)].spec;
  }
  kv::RowCacheStats stats() const { return row_cache_ ? row_cache_->stats() : kv::RowCacheStats(); }

  void pick(int64_t layer, int64_t row_count) {
    const std::span<const float> query = queries_.next(layer);
    scores_.resize(static_cast<size_t>(row_count));
    const Stopwatch scan;
    table_.encode_index_query(geometry_.key, query.data(), kIndexHeads, encoded_.data());
    const kv::IndexQuestion question{.stream = geometry_.of(layer).keys,
                                     .head_count = kIndexHeads,
                                     .query = encoded_.data(),
                                     .head_weights = head_weights_.data(),
                                     .row_count = row_count};
    pool_.parallel_for(kv::scan_task_count(sequence_, question), [&](int64_t task, int) {
      kv::run_scan_task(table_, sequence_, question, task, scores_.data());
    });
    times_.scan_ms += scan.elapsed_ms();
    scan_products_ += row_count * kIndexHeads * geometry_.key.dim;
    const Stopwatch top_k;
    std::vector<int32_t> picked(kFlashTopK);
    picked.resize(
        static_cast<size_t>(kernels::top_k(scores_.data(), row_count, kFlashTopK, picked.data())));
    times_.top_k_ms += top_k.elapsed_ms();
    pick_shares_.add(layer, picked);
    picked_ = std::move(picked);
  }

  Status fetch(int64_t stream) {
    const Stopwatch watch;
    if (row_cache_) row_cache_->begin_group();
    for (const int32_t row : picked_) {
      kv::ColdPart* part = sequence_.cold_part_of(stream, row);
      visible_.push_back(part == nullptr
                             ? sequence_.row(stream, row)
                             : row_cache_->ask(*part, sequence_.row_offset_bytes(stream, row)));
    }
    if (row_cache_) {
      row_cache_->start();
      KVASIR_RETURN_IF_ERROR(row_cache_->finish());
    }
    times_.fetch_ms += watch.elapsed_ms();
    return ok_status();
  }

  void attend() {
    const Stopwatch watch;
    const int64_t parts = std::min<int64_t>(kHeads, options_.thread_count);
    pool_.parallel_for(parts, [&](int64_t part, int worker) {
      table_.attend({.format = geometry_.row,
                     .rows = visible_.data(),
                     .row_count = std::ssize(visible_),
                     .q = query_.data(),
                     .sinks = sinks_.data(),
                     .scale = 1.0f / std::sqrt(static_cast<float>(geometry_.row.dim)),
                     .out = attended_.data(),
                     .scratch = scratch_.data() + worker * scratch_floats_},
                    kHeads * part / parts, kHeads * (part + 1) / parts);
    });
    times_.attend_ms += watch.elapsed_ms();
  }

  const LongDecodeOptions& options_;
  const model::deepseek_v4::Geometry geometry_;
  const kv::Sequence& sequence_;
  kv::RowCache* row_cache_;
  const kernels::KernelTable& table_;
  ThreadPool pool_;
  Random random_{5};
  IndexQueries queries_;
  PickShares pick_shares_;
  std::vector<int32_t> picked_;  // by the layer at hand
  std::vector<float> query_;
  std::vector<float> sinks_;
  std::vector<float> head_weights_;
  std::vector<float> attended_;
  int64_t scratch_floats_;
  std::vector<float> scratch_;
  AlignedBuffer<std::byte> encoded_;
  std::vector<float> scores_;
  std::vector<const std::byte*> visible_;
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
    KVASIR_RETURN_IF_ERROR(append(*persistence, live, rows, tokens));
    context.tokens_.insert(context.tokens_.end(), tokens.begin(), tokens.end());
  }
  live.recorder.keep();
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
  Decoder decoder(options, *layout, live.sequence,
                  residency != nullptr ? residency->rows() : nullptr);
  Random random(11);
  int64_t read_bytes_before = 0;
  for (int64_t step = 0; step < options.warmup_tokens + options.measured_tokens; ++step) {
    if (step == options.warmup_tokens) {
      decoder.begin_measuring();
      read_bytes_before = persistence->metrics()[StoreMetric::kPieceReadBytes];
    }
    const auto token = static_cast<int32_t>(random.below(kFlashVocabSize));
    KVASIR_RETURN_IF_ERROR(append(*persistence, live, rows, {&token, 1}));
    KVASIR_RETURN_IF_ERROR(decoder.step());
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
