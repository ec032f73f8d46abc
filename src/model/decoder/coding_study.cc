#include "model/decoder/coding_study.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"

namespace kvasir::model::decoder {
namespace {

using kv::kBlockTokens;
using ops::View;

constexpr std::array<int64_t, 2> kAttendedBlocks = {7, 15};

// The blocks whose tokens are attended, of so many complete ones: not the first, whose tokens see
// no coded rows.
std::vector<int64_t> attended_blocks(int64_t block_count) {
  if (block_count > kAttendedBlocks.back()) return {kAttendedBlocks.begin(), kAttendedBlocks.end()};
  if (block_count == 2) return {1};
  return {block_count - 2, block_count - 1};
}

void add_distance(const float* coded, const float* exact, int64_t count, CodedDistance& distance) {
  for (int64_t i = 0; i < count; ++i) {
    const double error = static_cast<double>(coded[i]) - exact[i];
    distance.error_squares += error * error;
    distance.exact_squares += static_cast<double>(exact[i]) * exact[i];
  }
}

// Rows of one vector of a complete block as tokens of later ones see them -> rows
// [kBlockTokens, width]
void read_block(const ops::Ops& ops, const kv::Sequence& sequence, int64_t stream_index,
                int64_t block, int64_t vector, float* rows) {
  const kv::StreamLayout& stream = sequence.layout().streams[static_cast<size_t>(stream_index)];
  if (stream.is_sealed()) {
    ops.decode_block(sequence, stream_index, block, vector, rows);
    return;
  }
  const std::byte* place =
      sequence.block_rows(stream_index, block) + vector * stream.format.bytes();
  std::array<const std::byte*, kBlockTokens> places;
  for (const std::byte*& one : places) one = std::exchange(place, place + stream.row_bytes);
  ops.table().decode_rows(stream.format, places.data(), kBlockTokens, rows);
}

void copy_heads(Pass& pass, const Heads& from, const Heads& to) {
  pass.ops.copy(from.query, to.query);
  pass.ops.copy(from.key, to.key);
  pass.ops.copy(from.value, to.value);
}

View<float> rows_of(View<float> view, int64_t begin, int64_t count) {
  return view.cols == 0 ? view : view.rows_from(begin, count);
}

}  // namespace

CodingStudy::HeadBuffers::HeadBuffers(const Config& config, int64_t token_capacity) {
  const RowWidths widths = row_widths(config);
  query = AlignedBuffer<float>(token_capacity * config.head_count * widths.key);
  key = AlignedBuffer<float>(token_capacity * config.kv_head_count * widths.key);
  if (config.is_latent()) return;
  value = AlignedBuffer<float>(token_capacity * config.kv_head_count * widths.value);
}

Heads CodingStudy::HeadBuffers::of_shape(const Heads& heads) {
  return {.query = ops::view_of(query, heads.query.rows, heads.query.cols),
          .key = ops::view_of(key, heads.key.rows, heads.key.cols),
          .value = ops::view_of(value, heads.value.rows, heads.value.cols)};
}

Result<std::unique_ptr<CodingStudy>> CodingStudy::create(const Config& config,
                                                         const ModelOptions& options) {
  if (!options.study.on_coding_errors) {
    return Error{.kind = ErrorKind::kUsage,
                 .what = "nobody is told the errors of codings",
                 .field = "on_coding_errors"};
  }
  std::vector<kv::CacheSpec> specs;
  for (const std::string& coding : options.study.codings) {
    KVASIR_ASSIGN_OR_RETURN(kv::CacheSpec spec, cache_spec(config, coding));
    KVASIR_RETURN_IF_ERROR(kv::attach_side(options.side_source, spec));
    specs.push_back(std::move(spec));
  }
  std::unique_ptr<CodingStudy> study(new CodingStudy(config, options, std::move(specs)));
  if (!study->has_memory()) {
    return Error{.kind = ErrorKind::kNoMemory,
                 .what = "not enough memory to study codings beside a pass",
                 .field = "chunk_tokens",
                 .remedy = "a shorter pass needs less"};
  }
  return study;
}

CodingStudy::CodingStudy(const Config& config, const ModelOptions& options,
                         std::vector<kv::CacheSpec> specs)
    : sink_(options.study.on_coding_errors),
      specs_(std::move(specs)),
      tokens_(static_cast<size_t>(options.pass_tokens_max)),
      batch_(options.pass_tokens_max),
      exact_heads_(config, options.pass_tokens_max),
      coded_heads_(config, options.pass_tokens_max),
      attended_(kBlockTokens * config.head_count * row_widths(config).value),
      head_value_(kBlockTokens * config.head_count * config.latent.value_dim),
      decoded_(kBlockTokens * std::max(row_widths(config).key, row_widths(config).value)) {
  for (const Rope& rope : config.ropes) {
    ropes_.emplace_back(rope.frequencies, options.pass_tokens_max, rope.magnitude);
  }
}

bool CodingStudy::has_memory() const {
  return !exact_heads_.failed() && !coded_heads_.failed() && !attended_.failed() &&
         !head_value_.failed() && !decoded_.failed();
}

bool CodingStudy::begin_pass(const ops::Batch& batch) {
  const ops::BatchPiece& piece = batch.piece(0);
  const int64_t block_count = piece.token_count / kBlockTokens;
  if (batch.pieces().size() > 1 || piece.first_position > 0 || block_count < 2) return false;
  ranges_.clear();
  int64_t end = 0;
  for (const int64_t block : attended_blocks(block_count)) {
    const int64_t begin = block * kBlockTokens;
    if (begin > end) ranges_.push_back({.begin = end, .count = begin - end});
    ranges_.push_back({.begin = begin, .count = kBlockTokens, .is_attended = true});
    end = begin + kBlockTokens;
  }
  const int64_t rest = block_count * kBlockTokens - end;
  if (rest > 0) ranges_.push_back({.begin = end, .count = rest});
  return true;
}

void CodingStudy::remember(Pass& pass, const Heads& heads) {
  copy_heads(pass, heads, exact_heads_.of_shape(heads));
}

Status CodingStudy::measure(Pass& pass, int64_t layer, const HeadStep& step,
                            View<const float> exact) {
  for (size_t coding = 0; coding < specs_.size(); ++coding) {
    const kv::Layer& coded = specs_[coding].layers[static_cast<size_t>(layer)];
    KVASIR_ASSIGN_OR_RETURN(const CodingErrors errors, errors_of(pass, coded, step, exact));
    sink_(coding, layer, errors);
  }
  return ok_status();
}

Result<CodingErrors> CodingStudy::errors_of(Pass& pass, const kv::Layer& layer,
                                            const HeadStep& step, View<const float> exact) {
  const kv::CacheSpec spec{.layers = {layer}};
  const auto layout = std::make_shared<const kv::CacheLayout>(kv::make_layout(spec));
  const LayerStreams streams = layer_streams(*layout).front();
  KVASIR_ASSIGN_OR_RETURN(kv::Sequence sequence, kv::Sequence::create(layout, account_));
  const Heads heads = coded_heads_.of_shape(step.heads);
  copy_heads(pass, exact_heads_.of_shape(step.heads), heads);
  const HeadStep coded{.streams = streams,
                       .rope = step.rope,
                       .weights = step.weights,
                       .heads = heads,
                       .attended = step.attended};
  CodingErrors errors;
  for (const Range& range : ranges_) {
    KVASIR_ASSIGN_OR_RETURN(const View<const float> attended, run(pass, coded, range, sequence));
    for (int64_t t = 0; t < attended.rows; ++t) {
      add_distance(attended.row(t), exact.row(range.begin + t), exact.cols, errors.attended);
    }
  }
  errors.keys = distance_of_rows(pass.ops, sequence, streams.keys, heads.key);
  if (streams.values >= 0) {
    errors.values = distance_of_rows(pass.ops, sequence, streams.values, heads.value);
  }
  return errors;
}

Result<View<const float>> CodingStudy::run(Pass& pass, const HeadStep& step, const Range& range,
                                           kv::Sequence& sequence) {
  const auto tokens = std::span(tokens_).first(static_cast<size_t>(range.count));
  batch_.clear();
  batch_.add(sequence, tokens);
  for (ops::RopeTable& rope : ropes_) {
    rope.clear();
    for (int64_t t = 0; t < range.count; ++t) rope.add(range.begin + t);
  }
  KVASIR_RETURN_IF_ERROR(sequence.begin_append(tokens));
  const RowSink nobody;
  Pass coded{pass.config, pass.streams,    pass.ops, batch_,        ropes_, pass.key_ropes,
             pass.work,   pass.index_work, nullptr,  pass.on_picks, nobody, nullptr};
  const int64_t row_count = range.is_attended ? range.count : 0;
  const HeadStep part{.streams = step.streams,
                      .rope = step.rope,
                      .weights = step.weights,
                      .heads = {.query = step.heads.query.rows_from(range.begin, range.count),
                                .key = step.heads.key.rows_from(range.begin, range.count),
                                .value = rows_of(step.heads.value, range.begin, range.count)},
                      .attended = ops::view_of(attended_, row_count, step.attended.cols)};
  const bool is_latent = pass.config.is_latent();
  (is_latent ? enter_latents : enter_heads)(coded, part);
  if (range.is_attended) (is_latent ? attend_latents : attend_heads)(coded, part);
  keep_heads(coded, part);
  sequence.finish_append();
  if (!is_latent || !range.is_attended) return View<const float>(part.attended);
  const auto values =
      ops::view_of(head_value_, row_count, pass.config.head_count * pass.config.latent.value_dim);
  pass.ops.matmul_groups(step.weights.latent.value_up, part.attended, values);
  return View<const float>(values);
}

CodedDistance CodingStudy::distance_of_rows(const ops::Ops& ops, const kv::Sequence& sequence,
                                            int64_t stream, View<const float> exact) {
  const kv::StreamLayout& layout = sequence.layout().streams[static_cast<size_t>(stream)];
  CodedDistance distance;
  if (!layout.is_in_blocks()) return distance;
  const int64_t width = layout.spec.width;
  const int64_t block_count = sequence.length() / kBlockTokens;
  for (int64_t block = 1; block < block_count; ++block) {
    for (int64_t vector = 0; vector < layout.spec.vectors; ++vector) {
      read_block(ops, sequence, stream, block, vector, decoded_.data());
      for (int64_t i = 0; i < kBlockTokens; ++i) {
        add_distance(decoded_.data() + i * width,
                     exact.row(block * kBlockTokens + i) + vector * width, width, distance);
      }
    }
  }
  return distance;
}

}  // namespace kvasir::model::decoder
