#include "bench/cache_decoder.h"

#include <cmath>
#include <span>

#include "base/stopwatch.h"
#include "bench/flash_cache.h"
#include "ops/picked_rows.h"

namespace kvasir::bench {
namespace {

constexpr int64_t kHeads = 64;

}  // namespace

CacheDecoder::CacheDecoder(const LongDecodeOptions& options, const kv::CacheLayout& layout,
                           int64_t length_max, kv::RowCache* row_cache)
    : options_(options),
      geometry_(model::deepseek_v4::geometry_of(layout)),
      row_cache_(row_cache),
      ops_(options.instruction_set->table, options.thread_count, 0,
           kernels::attend_scratch_floats(geometry_.row, 0, kHeads)),
      queries_(geometry_, options.query_correlation),
      pick_shares_(geometry_.layers.size()),
      query_(kHeads * geometry_.row.dim),
      sinks_(kHeads),
      attended_(query_.size()),
      new_row_(geometry_.row.bytes()),
      head_weights_(kFlashIndexHeads),
      picked_(kFlashTopK),
      places_(kFlashTopK) {
  for (int64_t i = 0; i < query_.size(); ++i) query_[i] = normal(random_);
  for (int64_t i = 0; i < head_weights_.size(); ++i) head_weights_[i] = normal(random_);
  encoded_.emplace_back(kernels::index_query_bytes(geometry_.key, kFlashIndexHeads));
  scores_.emplace_back(length_max);
  for (int i = 0; i < options.thread_count; ++i) row_lists_.emplace_back(length_max + kFlashTopK);
}

Status CacheDecoder::step(kv::Sequence& sequence, int32_t token) {
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

void CacheDecoder::measure_byte_rate() {
  const kernels::PeakLoops* loops = options_.instruction_set->peak_loops;
  if (loops == nullptr) return;
  constexpr int64_t kRounds = 100'000;
  std::vector<int64_t> products(static_cast<size_t>(4 * options_.thread_count));
  const Stopwatch watch;
  ops_.parallel_for(std::ssize(products), [&](int64_t piece, int) {
    float sink = 1;
    products[static_cast<size_t>(piece)] = loops->multiply_add_bytes(kRounds, &sink);
  });
  peak_.ms += watch.elapsed_ms();
  for (const int64_t count : products) peak_.products += count;
}

void CacheDecoder::begin_measuring() {
  times_ = {};
  stats_before_ = stats();
  pick_shares_.begin_measuring();
  scan_products_ = 0;
  peak_ = {};
}

LongDecode CacheDecoder::result(int64_t token_count) const {
  const auto tokens = static_cast<double>(token_count);
  LongDecode result = times_;
  result.scan_ms /= tokens;
  result.top_k_ms /= tokens;
  result.fetch_ms /= tokens;
  result.attend_ms /= tokens;
  if (peak_.products != 0) {
    result.scan_limit_ms = static_cast<double>(scan_products_) / tokens * peak_.ms /
                           static_cast<double>(peak_.products);
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

kv::RowCacheStats CacheDecoder::stats() const {
  return row_cache_ != nullptr ? row_cache_->stats() : kv::RowCacheStats();
}

ops::Picks CacheDecoder::picks() {
  return {.rows = ops::view_of(picked_, 1, kFlashTopK),
          .counts = &picked_count_,
          .places = ops::view_of(places_, 1, kFlashTopK)};
}

void CacheDecoder::pick(int64_t layer, int64_t stream) {
  const std::span<const float> query = queries_.next(layer);
  const ops::PickStep step{.batch = batch_,
                           .stream = stream,
                           .head_count = kFlashIndexHeads,
                           .queries = ops::view_of(query.data(), 1, std::ssize(query)),
                           .head_weights = ops::view_of(head_weights_, 1, kFlashIndexHeads),
                           .encoded_queries = encoded_,
                           .scores = scores_,
                           .picks = picks()};
  const Stopwatch scan;
  ops_.score_rows(step, 0);
  times_.scan_ms += scan.elapsed_ms();
  scan_products_ += batch_.complete_rows(0, stream) * kFlashIndexHeads * geometry_.key.dim;
  const Stopwatch top_k;
  ops_.pick_best(step, 0, scores_.front().data());
  times_.top_k_ms += top_k.elapsed_ms();
  pick_shares_.add(layer, {picked_.data(), static_cast<size_t>(picked_count_)});
}

Status CacheDecoder::fetch(int64_t stream) {
  const Stopwatch watch;
  ops::PickedRows rows(batch_, stream, picks(), row_cache_);
  KVASIR_RETURN_IF_ERROR(rows.next());
  times_.fetch_ms += watch.elapsed_ms();
  return ok_status();
}

void CacheDecoder::attend(const model::deepseek_v4::LayerStreams& streams) {
  const Stopwatch watch;
  ops_.attend({.batch = batch_,
               .seen = {.window_stream = streams.window,
                        .new_rows = ops::view_of(new_row_, 1, new_row_.size()),
                        .row_stream = streams.rows,
                        .picks = picks()},
               .value_dim = geometry_.row.dim,
               .queries = ops::view_of(query_, 1, query_.size()),
               .sinks = sinks_.data(),
               .scale = 1 / std::sqrt(static_cast<float>(geometry_.row.dim)),
               .attended = ops::view_of(attended_, 1, attended_.size()),
               .row_lists = row_lists_},
              {.begin = 0, .end = 1});
  times_.attend_ms += watch.elapsed_ms();
}

}  // namespace kvasir::bench
