#include <algorithm>
#include <bit>
#include <limits>

#include "base/check.h"
#include "ops/cpu/attend_segment.h"
#include "ops/ops.h"

namespace kvasir::ops {
namespace {

using kernels::AttendedPart;

// Tokens of a group at most. The more, the fewer times rows are decoded.
constexpr int64_t kTokensMax = 64;
// So many at most where there are few groups, so that short prompts make work for all threads.
constexpr int64_t kTokensOfFewGroups = 16;
constexpr int64_t kGroupsPerThread = 8;
// Pieces of work for a thread, where there are so many.
constexpr int64_t kTasksPerThread = 4;

}  // namespace

// A GroupCut says how the heads and tokens of a batch are cut into groups.
class GroupCut {
 public:
  GroupCut(const Batch& batch, const Past& past, int64_t head_count, int thread_count)
      : batch_(batch),
        vectors_(past.keys.vectors),
        heads_per_vector_(head_count / vectors_),
        heads_(std::min(heads_per_vector_, kQueriesMax)),
        parts_((heads_per_vector_ + heads_ - 1) / heads_),
        tokens_(tokens_of(past, heads_, kTokensMax)),
        ends_at_blocks_(past.is_decoded) {
    count_token_groups();
    if (group_count() < kGroupsPerThread * thread_count) {
      tokens_ = tokens_of(past, heads_, kTokensOfFewGroups);
      count_token_groups();
    }
    for (const BatchPiece& piece : batch.pieces()) {
      longest_ = std::max(longest_, std::min(tokens_, piece.token_count));
      segments_ = std::max(segments_, (piece.end_position() - 1) / past.segment_rows + 1);
    }
    if (longest_ == 1) join_vectors(thread_count);
  }

  // Of the longest piece.
  int64_t segments() const { return segments_; }
  int64_t group_count() const { return token_groups_ * groups_per_token() * parts_; }
  // Of any group.
  int64_t queries_max() const { return heads_ * vectors_at_once_ * longest_; }

  // Groups of the same tokens follow each other.
  AttendGroup group(int64_t index) const {
    AttendGroup group = tokens_of_group(index / (groups_per_token() * parts_));
    const int64_t part = index % parts_;
    group.vector = index / parts_ % groups_per_token() * vectors_at_once_;
    group.vector_count = std::min(vectors_at_once_, vectors_ - group.vector);
    group.first_head = group.vector * heads_per_vector_ + part * heads_;
    const int64_t end_head = (group.vector + group.vector_count) * heads_per_vector_;
    group.head_count = std::min(heads_ * group.vector_count, end_head - group.first_head);
    return group;
  }

 private:
  // Groups that end where blocks do take a number that divides a block.
  static int64_t tokens_of(const Past& past, int64_t heads, int64_t tokens_max) {
    const auto most = static_cast<uint64_t>(std::min(tokens_max, kQueriesMax / heads));
    return static_cast<int64_t>(past.is_decoded ? std::bit_floor(most) : most);
  }
  void count_token_groups() {
    token_groups_ = 0;
    for (const BatchPiece& piece : batch_.pieces()) token_groups_ += token_groups_of(piece);
  }
  // Rows of one token alone are read in the order in which they lie, all vectors at once, where
  // there is work enough for all threads nevertheless.
  void join_vectors(int thread_count) {
    const int64_t most = parts_ == 1 ? std::min(vectors_, kQueriesMax / heads_) : 1;
    const int64_t tasks = token_groups_ * (vectors_ / most) * segments_;
    const int64_t wanted = kTasksPerThread * thread_count;
    vectors_at_once_ = tasks >= wanted ? most : std::max<int64_t>(1, most * tasks / wanted);
  }
  int64_t groups_per_token() const { return (vectors_ + vectors_at_once_ - 1) / vectors_at_once_; }
  // Tokens of one block see a row in the same form.
  int64_t first_cut(const BatchPiece& piece) const {
    return ends_at_blocks_ ? piece.first_position / tokens_ * tokens_ : piece.first_position;
  }
  int64_t token_groups_of(const BatchPiece& piece) const {
    return (piece.end_position() - first_cut(piece) + tokens_ - 1) / tokens_;
  }
  AttendGroup tokens_of_group(int64_t index) const {
    AttendGroup group;
    while (index >= token_groups_of(batch_.piece(group.piece))) {
      index -= token_groups_of(batch_.piece(group.piece++));
    }
    const BatchPiece& piece = batch_.piece(group.piece);
    const int64_t cut = first_cut(piece) + index * tokens_;
    group.first_position = std::max(cut, piece.first_position);
    group.token_count = std::min(cut + tokens_, piece.end_position()) - group.first_position;
    return group;
  }

  const Batch& batch_;
  int64_t vectors_;
  int64_t heads_per_vector_;
  int64_t heads_;   // of a group, at most
  int64_t parts_;   // of a vector's heads
  int64_t tokens_;  // of a group, at most
  bool ends_at_blocks_;
  int64_t vectors_at_once_ = 1;
  int64_t longest_ = 0;
  int64_t token_groups_ = 0;
  int64_t segments_ = 0;
};

namespace {

void check_shapes(const GroupedAttendStep& step) {
  const int64_t n = step.batch.token_count();
  const kv::StreamLayout& keys = step.batch.stream(step.key_stream);
  const int64_t vectors = keys.spec.vectors;
  KVASIR_CHECK(step.queries.rows == n && step.queries.cols % (vectors * keys.format.dim) == 0 &&
                   step.attended.has_shape(n, step.queries.cols / keys.format.dim * step.value_dim),
               "shapes of an attended sum");
  KVASIR_CHECK(keys.is_in_blocks() || step.new_keys.has_shape(n, keys.row_bytes),
               "a new key for every token");
  KVASIR_CHECK(!keys.is_sealed() || step.full_keys.has_shape(n, keys.full_row_floats()),
               "a key at full width for every token");
  if (step.value_stream < 0) return;
  const kv::StreamLayout& values = step.batch.stream(step.value_stream);
  KVASIR_CHECK(values.format.dim == step.value_dim && values.spec.vectors == vectors &&
                   values.spec.reach == keys.spec.reach &&
                   values.spec.window_tokens == keys.spec.window_tokens,
               "values that go with the keys");
  KVASIR_CHECK(!values.is_sealed() || step.full_values.has_shape(n, values.full_row_floats()),
               "a value at full width for every token");
}

int64_t bytes_per_row(const kv::StreamLayout& stream) {
  return stream.is_sealed() ? stream.bytes_per_block / stream.rows_per_block : stream.row_bytes;
}

// Rows are read once for all tokens of a piece, though caches may not keep them for so long.
void add_attended(const GroupedAttendStep& step, PartClock& clock) {
  const kv::StreamLayout& keys = step.batch.stream(step.key_stream);
  int64_t row_bytes = bytes_per_row(keys);
  if (step.value_stream >= 0) row_bytes += bytes_per_row(step.batch.stream(step.value_stream));
  const int64_t heads = step.queries.cols / keys.format.dim;
  for (const BatchPiece& piece : step.batch.pieces()) {
    const int64_t first = first_seen(keys.spec, piece.first_position);
    int64_t seen = 0;
    for (int64_t p = piece.first_position; p < piece.end_position(); ++p) {
      seen += p + 1 - first_seen(keys.spec, p);
    }
    clock.add((piece.end_position() - first) * row_bytes,
              heads * seen * (keys.format.dim + step.value_dim));
  }
}

// Without rows, a whole is its sink.
void begin_whole(const GroupedAttendStep& step, const AttendGroup& group,
                 const AttendedPart& whole) {
  const int64_t queries = group.token_count * group.head_count;
  std::fill_n(whole.out, queries * step.value_dim, 0.0f);
  std::fill_n(whole.sums, queries, step.sinks != nullptr ? 1.0f : 0.0f);
  std::fill_n(whole.maxima, queries, -std::numeric_limits<float>::infinity());
  if (step.sinks == nullptr) return;
  for (int64_t t = 0; t < group.token_count; ++t) {
    std::copy_n(step.sinks + group.first_head, group.head_count,
                whole.maxima + t * group.head_count);
  }
}

QueryRange all_queries(const AttendGroup& group) {
  return {.begin = 0, .end = group.token_count * group.head_count};
}

QueryRange share_of(const QueryRange& queries, int64_t share, int64_t shares) {
  const int64_t count = queries.end - queries.begin;
  return {.begin = queries.begin + count * share / shares,
          .end = queries.begin + count * (share + 1) / shares};
}

// A JoinedShare is a share of the queries of a whole while a thread joins it: maxima and sums of
// neighbours share cache lines, so it has its own until it ends.
class JoinedShare {
 public:
  JoinedShare(const QueryRange& queries, const AttendedPart& whole)
      : queries_(queries), whole_(whole) {
    std::copy(whole.maxima + queries.begin, whole.maxima + queries.end, &maxima_[queries.begin]);
    std::copy(whole.sums + queries.begin, whole.sums + queries.end, &sums_[queries.begin]);
  }
  ~JoinedShare() {
    std::copy(&maxima_[queries_.begin], &maxima_[queries_.end], whole_.maxima + queries_.begin);
    std::copy(&sums_[queries_.begin], &sums_[queries_.end], whole_.sums + queries_.begin);
  }
  JoinedShare(const JoinedShare&) = delete;
  JoinedShare& operator=(const JoinedShare&) = delete;

  const QueryRange& queries() const { return queries_; }
  AttendedPart part() { return {.out = whole_.out, .maxima = maxima_, .sums = sums_}; }

 private:
  QueryRange queries_;
  AttendedPart whole_;
  float maxima_[kQueriesMax];
  float sums_[kQueriesMax];
};

int64_t scratch_floats_of(const kernels::RowFormat& key, int64_t value_dim) {
  return kernels::attend_scratch_floats(key, value_dim, kQueriesMax) + kQueriesMax * key.dim +
         2 * kQueriesMax * part_floats(value_dim) + waiting_floats(value_dim) +
         decoded_floats(key.dim, value_dim);
}

}  // namespace

int64_t grouped_scratch_floats(const kv::CacheLayout& layout, int64_t value_dim) {
  int64_t floats = 0;
  for (const kv::StreamLayout& stream : layout.streams) {
    floats = std::max(floats, scratch_floats_of(stream.format, value_dim));
  }
  return floats;
}

void Ops::attend_grouped(const GroupedAttendStep& step) {
  check_shapes(step);
  const PartScope scope(clock_, PassPart::kAttention);
  if (clock_.is_running()) add_attended(step, clock_);
  const Batch& batch = step.batch;
  const kv::StreamLayout& keys = batch.stream(step.key_stream);
  KVASIR_CHECK(scratch_floats_of(keys.format, step.value_dim) <= scratch_floats_,
               "the scratch memory was sized for as many queries");
  const GroupCut cut(batch, Past(step), step.queries.cols / keys.format.dim, thread_count());
  if (cut.segments() > 1 && cut.group_count() < 2 * thread_count()) {
    attend_few_groups(step, cut);
    return;
  }
  pool_.parallel_for(cut.group_count(), [&](int64_t index, int worker) {
    attend_group(step, cut.group(index), worker);
  });
}

void Ops::join_segment(const GroupedAttendStep& step, const AttendGroup& group,
                       const TokenRange& tokens, const AttendedPart& part,
                       const QueryRange& queries, const AttendedPart& whole) const {
  const int64_t begin = std::max(queries.begin, tokens.begin * group.head_count);
  const int64_t end = std::min(queries.end, tokens.end * group.head_count);
  table_.join_attended(from_query(part, begin, step.value_dim), std::max<int64_t>(0, end - begin),
                       step.value_dim, from_query(whole, begin, step.value_dim));
}

void Ops::put_attended(const GroupedAttendStep& step, const AttendGroup& group,
                       const QueryRange& queries, const AttendedPart& whole) const {
  const AttendedPart part = from_query(whole, queries.begin, step.value_dim);
  table_.finish_attended(part, queries.end - queries.begin, step.value_dim);
  const int64_t first_token = step.batch.piece(group.piece).token_at(group.first_position);
  for (int64_t query = queries.begin; query < queries.end; ++query) {
    const int64_t head = group.first_head + query % group.head_count;
    std::copy_n(whole.out + query * step.value_dim, step.value_dim,
                step.attended.row(first_token + query / group.head_count) + head * step.value_dim);
  }
}

void Ops::attend_group(const GroupedAttendStep& step, const AttendGroup& group, int worker) {
  const kv::StreamLayout& keys = step.batch.stream(step.key_stream);
  const GroupScratch s(scratch(worker), keys.format.dim, step.value_dim);
  begin_whole(step, group, s.wholes[0]);
  const Past past(step);
  const SegmentRange segments = segments_of(past, group);
  for (int64_t segment = segments.begin; segment < segments.end; ++segment) {
    const TokenRange tokens = attend_segment(step, group, segment, s.wholes[1], worker);
    join_segment(step, group, tokens, s.wholes[1], all_queries(group), s.wholes[0]);
  }
  put_attended(step, group, all_queries(group), s.wholes[0]);
}

// Threads share out the segments: as many at once as there is room for parts that wait. Then they
// share out the queries, of which each is joined in order.
void Ops::attend_few_groups(const GroupedAttendStep& step, const GroupCut& cut) {
  const kv::StreamLayout& keys = step.batch.stream(step.key_stream);
  const Past past(step);
  const int64_t groups = cut.group_count();
  const int64_t part_size = cut.queries_max() * part_floats(step.value_dim);
  const int64_t parts_per_thread = waiting_floats(step.value_dim) / part_size;
  const int64_t at_once = parts_per_thread * thread_count() / groups;   // segments of each group
  const int64_t shares = groups < thread_count() ? thread_count() : 1;  // of a group's queries
  const auto scratch_of = [&](int64_t thread) {
    return GroupScratch(scratch(static_cast<int>(thread)), keys.format.dim, step.value_dim);
  };
  const auto whole_of = [&](int64_t group) {
    return scratch_of(group % thread_count()).wholes[group / thread_count()];
  };
  const auto part_of = [&](int64_t group, int64_t index) {
    const int64_t place = group * at_once + index;
    float* parts = scratch_of(place / parts_per_thread).waiting;
    return part_at(parts + place % parts_per_thread * part_size, cut.queries_max(), step.value_dim);
  };

  int64_t most = 0;
  for (int64_t index = 0; index < groups; ++index) {
    const AttendGroup group = cut.group(index);
    begin_whole(step, group, whole_of(index));
    most = std::max(most, segments_of(past, group).count());
  }
  for (int64_t first = 0; first < most; first += at_once) {
    // Tasks that follow each other read neighbouring vectors of the same rows. The newest segment
    // is the first: where all others are coded, it takes longest.
    const int64_t now = std::min(at_once, most - first);
    pool_.parallel_for(groups * now, [&](int64_t task, int worker) {
      AttendGroup group = cut.group(task % groups);
      group.segment_step = thread_count();
      const int64_t index = (task / groups + now - 1) % now;
      const SegmentRange segments = segments_of(past, group);
      if (first + index >= segments.count()) return;
      attend_segment(step, group, segments.begin + first + index, part_of(task % groups, index),
                     worker);
    });
    pool_.parallel_for(groups * shares, [&](int64_t task, int) {
      const int64_t place = task / shares;
      const AttendGroup group = cut.group(place);
      JoinedShare share(share_of(all_queries(group), task % shares, shares), whole_of(place));
      const SegmentRange segments = segments_of(past, group);
      const int64_t end = std::min(at_once, segments.count() - first);
      for (int64_t index = 0; index < end; ++index) {
        const int64_t segment = segments.begin + first + index;
        join_segment(step, group, tokens_that_see(past, group, segment), part_of(place, index),
                     share.queries(), share.part());
      }
      if (first + at_once >= most) put_attended(step, group, share.queries(), share.part());
    });
  }
}

}  // namespace kvasir::ops
