#include "bench/kernel_limits.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <functional>
#include <numeric>
#include <random>
#include <string_view>
#include <thread>

#include "base/aligned_buffer.h"
#include "base/check.h"
#include "base/stopwatch.h"
#include "base/thread_pool.h"
#include "kernels/panels.h"
#include "numeric/blocks/block_type.h"

namespace kvasir::bench {
namespace {

using kernels::CodecId;
using kernels::WeightFormat;

// Matrices of one kind together: much more than a last-level cache keeps.
constexpr int64_t kStreamBytes = int64_t{256} << 20;
// Read by a thread at a time: short enough to fall between interruptions.
constexpr int64_t kStretchBytes = int64_t{8} << 20;

// Of work that all threads do at once.
constexpr int kRoundsAtOnceMin = 64;

// What is read before a stretch comes again: nothing of it is left in a cache then.
int64_t memory_stream_bytes() {
  const int64_t last_level_bytes = ::sysconf(_SC_LEVEL3_CACHE_SIZE);  // <= 0: not known
  return std::clamp(8 * last_level_bytes, kStreamBytes, 4 * kStreamBytes);
}

// The processors that this process may run on.
cpu_set_t own_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) != 0) CPU_ZERO(&set);
  return set;
}

// OnOneProcessor keeps its thread on the n-th of some processors while it lives: beside other work
// the system may let two threads take turns on one. Where there are no more than n, it does
// nothing.
class OnOneProcessor {
 public:
  OnOneProcessor(const cpu_set_t& processors, int64_t n) : all_(processors) {
    int processor = 0;
    for (; processor < CPU_SETSIZE; ++processor) {
      if (CPU_ISSET(processor, &all_) && n-- == 0) break;
    }
    if (processor == CPU_SETSIZE) return;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(processor, &one);
    is_bound_ = ::sched_setaffinity(0, sizeof one, &one) == 0;
  }
  ~OnOneProcessor() {
    if (is_bound_) (void)::sched_setaffinity(0, sizeof all_, &all_);
  }
  OnOneProcessor(const OnOneProcessor&) = delete;
  OnOneProcessor& operator=(const OnOneProcessor&) = delete;

 private:
  cpu_set_t all_;
  bool is_bound_ = false;
};

struct WeightKind {
  const char* name;
  WeightFormat format;
  Dtype block_dtype = Dtype::kOther;  // of kBlocks
};

class Bench {
 public:
  explicit Bench(const LimitOptions& options)
      : options_(options),
        table_(options.instruction_set->table),
        peak_(*options.instruction_set->peak_loops),
        pool_(options.thread_count) {}

  double memory_read_bytes_per_second() {
    measure_memory();
    return bytes_per_second_;
  }

  std::vector<Measurement> run() {
    measure_memory();
    measure_rates();
    switch (options_.group) {
      case KernelGroup::kNone:
        break;
      case KernelGroup::kPrefill:
        for (const WeightKind& kind : kWeightKinds) measure_prefill(kind);
        for (const WeightKind& kind : kWeightKinds) {
          for (const int bytes : {2, 1}) measure_integer_prefill(kind, bytes);
        }
        measure_attention();
        break;
      case KernelGroup::kDecode:
        for (const WeightKind& kind : kWeightKinds) measure_decode(kind);
        for (const WeightKind& kind : kWeightKinds) {
          for (const int bytes : {2, 1}) measure_integer_decode(kind, bytes);
        }
        measure_attention();
        break;
      case KernelGroup::kIndex:
        measure_index_score("native", CodecId::kFp4);
        measure_index_score("int2-keys", CodecId::kInt2Keys);
        measure_index_score("sign-keys", CodecId::kSignKeys);
        measure_index_score("bf16", CodecId::kBf16);
        measure_top_k();
        break;
    }
    return std::move(results_);
  }

 private:
  static constexpr WeightKind kWeightKinds[] = {
      {"f32", WeightFormat::kF32},
      {"f16", WeightFormat::kF16},
      {"bf16", WeightFormat::kBf16},
      {"fp8-e8m0", WeightFormat::kFp8ScaleE8m0},
      {"fp8-f32", WeightFormat::kFp8ScaleF32},
      {"fp4", WeightFormat::kFp4ScaleE8m0},
      {"q4_0", WeightFormat::kBlocks, Dtype::kQ4_0},
      {"q4_1", WeightFormat::kBlocks, Dtype::kQ4_1},
      {"q5_0", WeightFormat::kBlocks, Dtype::kQ5_0},
      {"q8_0", WeightFormat::kBlocks, Dtype::kQ8_0},
      {"q2_k", WeightFormat::kBlocks, Dtype::kQ2K},
      {"q3_k", WeightFormat::kBlocks, Dtype::kQ3K},
      {"q4_k", WeightFormat::kBlocks, Dtype::kQ4K},
      {"q5_k", WeightFormat::kBlocks, Dtype::kQ5K},
      {"q6_k", WeightFormat::kBlocks, Dtype::kQ6K},
      {"iq4_xs", WeightFormat::kBlocks, Dtype::kIq4Xs},
      {"mxfp4", WeightFormat::kBlocks, Dtype::kMxfp4},
  };

  using Clock = std::chrono::steady_clock;

  // The shortest of the times, in seconds, that calls of `timed` return.
  double best_of(const std::function<double()>& timed, int rounds_min = 3) const {
    const Stopwatch watch;
    double best = timed();
    for (int round = 0; round < rounds_min || watch.elapsed_ms() < 1000 * options_.seconds_min;
         ++round) {
      best = std::min(best, timed());
    }
    return best;
  }

  // The shortest time of one call of `work`.
  double best_seconds(const std::function<void()>& work) const {
    return best_of([&] {
      const Stopwatch watch;
      work();
      return watch.elapsed_ms() / 1000;
    });
  }

  // The shortest time in which every thread runs body(piece) once, on a processor of its own and
  // all at the same time: none begins before all are there. Where others are busy too, some rounds
  // fall into a moment in which every thread has its processor.
  double best_seconds_at_once(const std::function<void(int64_t piece)>& body) {
    const auto timed = [&] {
      std::atomic<int> missing = options_.thread_count;
      std::vector<Clock::time_point> begins(options_.thread_count);
      std::vector<Clock::time_point> ends(options_.thread_count);
      pool_.parallel_for(options_.thread_count, [&](int64_t piece, int) {
        const OnOneProcessor bound(processors_, piece);
        --missing;
        while (missing > 0) std::this_thread::yield();
        begins[piece] = Clock::now();
        body(piece);
        ends[piece] = Clock::now();
      });
      const auto first = *std::ranges::min_element(begins);
      return std::chrono::duration<double>(*std::ranges::max_element(ends) - first).count();
    };
    return best_of(timed, kRoundsAtOnceMin);
  }

  void add_limit(const std::string& name, double value, const std::string& unit) {
    results_.push_back({.name = name, .value = value, .unit = unit});
  }
  void add(const std::string& name, double value, const std::string& unit,
           const std::string& limit_name, double limit) {
    results_.push_back({name, value, unit, limit_name, limit, value / limit});
  }

  // In large pages, of which the processor knows where all of them lie: with small ones it reads a
  // quarter less. All threads read at the same time, or the round does not count.
  void measure_memory() {
    const int64_t stretch_floats = kStretchBytes / 4;
    const int64_t round_floats = stretch_floats * options_.thread_count;
    const int64_t rounds = std::max<int64_t>(1, memory_stream_bytes() / 4 / round_floats);
    AlignedBuffer<float> data(rounds * round_floats);
    KVASIR_CHECK(!data.failed(), "memory to be read");
    std::fill_n(data.data(), data.size(), 1.0f);
    std::vector<int64_t> next(options_.thread_count);
    std::vector<float> sinks(options_.thread_count * 64);
    const double seconds = best_seconds_at_once([&](int64_t piece) {
      const int64_t stretch = next[piece]++ % rounds * options_.thread_count + piece;
      sinks[piece * 64] = peak_.sum(data.data() + stretch * stretch_floats, stretch_floats);
    });
    bytes_per_second_ = static_cast<double>(round_floats * 4) / seconds;
    add_limit("memory read", bytes_per_second_, "bytes/s");
  }

  void measure_rates() {
    float_rate_ = peak_rate(peak_.multiply_add_floats);
    add_limit("float multiply-adds", float_rate_, "multiply-adds/s");
    byte_rate_ = peak_rate(peak_.multiply_add_bytes);
    add_limit("int8 multiply-adds", byte_rate_, "multiply-adds/s");
  }

  double peak_rate(int64_t (*loop)(int64_t rounds, float* sink)) {
    constexpr int64_t kRounds = 100000;
    std::vector<int64_t> counts(options_.thread_count);
    const double seconds = best_seconds_at_once([&](int64_t piece) {
      float sink = 1;
      counts[piece] = loop(kRounds, &sink);
    });
    return static_cast<double>(std::accumulate(counts.begin(), counts.end(), int64_t{0})) / seconds;
  }

  static constexpr int64_t kMatrixSize = 4096;

  // Random codes of finite and mostly normal value, small scales; `copies` matrices back to
  // back.
  kernels::WeightMatrix make_weight(kernels::WeightMatrix weight, int64_t copies) {
    const int64_t bytes = copies * kMatrixSize * kernels::weight_row_bytes(weight);
    weight_data_ = AlignedBuffer<std::byte>(bytes);
    KVASIR_CHECK(!weight_data_.failed(), "memory for the weights");
    std::mt19937_64 random(1);
    for (int64_t i = 0; i < bytes; i += 8) {
      const uint64_t codes = (random() & 0xbdbdbdbdbdbdbdbdull) | 0x2020202020202020ull;
      std::memcpy(&weight_data_[i], &codes, 8);
    }
    // As float32 and as UE8M0 bytes at once: every byte is near the exponent of one.
    weight_scales_.assign(copies * kMatrixSize * kMatrixSize / 32, std::byte{0x3f});
    weight.data = weight_data_.data();
    weight.scales = weight_scales_.data();
    return weight;
  }

  static kernels::WeightMatrix empty_weight(const WeightKind& kind) {
    return {.format = kind.format,
            .rows = kMatrixSize,
            .cols = kMatrixSize,
            .scale_cols = kind.format == WeightFormat::kFp4ScaleE8m0
                              ? kMatrixSize / 32
                              : kMatrixSize / kernels::kFp8TileSize,
            .blocks = block_type_of(kind.block_dtype)};
  }

  void multiply(const kernels::MatmulArgs& args, int64_t rows_per_piece) {
    const int64_t scratch_size = kernels::matmul_scratch_floats(args.weight.cols);
    scratch_.resize(scratch_size * options_.thread_count);
    pool_.parallel_for(args.weight.rows / rows_per_piece, [&](int64_t piece, int worker) {
      table_.matmul(args, piece * rows_per_piece, (piece + 1) * rows_per_piece,
                    scratch_.data() + worker * scratch_size);
    });
  }

  // One token through matrices that together do not fit the cache.
  void measure_decode(const WeightKind& kind) {
    kernels::WeightMatrix weight = empty_weight(kind);
    const int64_t row_bytes = kernels::weight_row_bytes(weight);
    const int64_t copies = kStreamBytes / (row_bytes * kMatrixSize);
    weight = make_weight(weight, copies);
    std::vector<float> x(kMatrixSize, 1.0f);
    std::vector<float> y(kMatrixSize);
    int64_t copy = 0;
    const double seconds = best_seconds([&] {
      weight.data = weight_data_.data() + copy * row_bytes * kMatrixSize;
      copy = (copy + 1) % copies;
      multiply({.weight = weight,
                .x = x.data(),
                .x_stride = kMatrixSize,
                .y = y.data(),
                .y_stride = kMatrixSize,
                .token_count = 1},
               64);
    });
    add(std::string("decode ") + kind.name, static_cast<double>(kMatrixSize * row_bytes) / seconds,
        "bytes/s", "memory read", bytes_per_second_);
  }

  void measure_prefill(const WeightKind& kind) {
    constexpr int64_t kTokens = 512;
    kernels::WeightMatrix weight = make_weight(empty_weight(kind), 1);
    // A slice of the rows: enough work for every thread, little enough for many repetitions.
    weight.rows = std::min<int64_t>(kMatrixSize, 64 * options_.thread_count);
    std::vector<float> x(kTokens * kMatrixSize, 1.0f);
    std::vector<float> y(kTokens * kMatrixSize);
    const double seconds = best_seconds([&] {
      multiply({.weight = weight,
                .x = x.data(),
                .x_stride = kMatrixSize,
                .y = y.data(),
                .y_stride = kMatrixSize,
                .token_count = kTokens},
               64);
    });
    add(std::string("prefill ") + kind.name,
        static_cast<double>(kTokens * weight.rows * kMatrixSize) / seconds, "multiply-adds/s",
        "float multiply-adds", float_rate_);
  }

  // The rows of a weight in panels, `copies` times.
  AlignedBuffer<uint8_t> make_panels(const kernels::WeightMatrix& weight, int64_t copies) {
    const int64_t panel_bytes = kernels::panel_bytes(weight);
    const int64_t bytes = kernels::panels_bytes(weight);
    AlignedBuffer<uint8_t> panels(copies * bytes);
    KVASIR_CHECK(!panels.failed(), "memory for the panels");
    pool_.parallel_for(weight.rows / kernels::kPanelRows, [&](int64_t panel, int) {
      kernels::pack_panel(weight, panel * kernels::kPanelRows, &panels[panel * panel_bytes]);
    });
    for (int64_t i = 1; i < copies; ++i) std::memcpy(&panels[i * bytes], panels.data(), bytes);
    return panels;
  }

  void multiply(const kernels::IntegerMatmulArgs& args, int64_t rows_per_piece) {
    pool_.parallel_for(args.weight.rows / rows_per_piece, [&](int64_t piece, int) {
      table_.integer_matmul(args, piece * rows_per_piece, (piece + 1) * rows_per_piece, nullptr);
    });
  }

  // Activations are rounded once, beside which products take long.
  AlignedBuffer<std::byte> round_ones(int64_t token_count, int bytes) {
    const std::vector<float> x(token_count * kMatrixSize, 1.0f);
    AlignedBuffer<std::byte> groups(kernels::activations_bytes(std::ssize(x), bytes));
    KVASIR_CHECK(!groups.failed(), "memory for the activations");
    table_.round_activations(x.data(), std::ssize(x), bytes, groups.data());
    return groups;
  }

  // As --compute calls it.
  static std::string arithmetic_name(int activation_bytes) {
    return activation_bytes == 1 ? " int8" : " int";
  }

  void measure_integer_decode(const WeightKind& kind, int activation_bytes) {
    kernels::WeightMatrix weight = empty_weight(kind);
    if (kernels::coding_of(weight) == nullptr) return;
    const int64_t bytes = kernels::panels_bytes(weight);
    const int64_t copies = kStreamBytes / bytes;
    weight = make_weight(weight, 1);
    const AlignedBuffer<uint8_t> panels = make_panels(weight, copies);
    const auto x = round_ones(1, activation_bytes);
    weight.activation_bytes = activation_bytes;
    std::vector<float> y(kMatrixSize);
    int64_t copy = 0;
    const double seconds = best_seconds([&] {
      weight.panels = panels.data() + copy * bytes;
      copy = (copy + 1) % copies;
      multiply({.weight = weight,
                .x = x.data(),
                .y = y.data(),
                .y_stride = kMatrixSize,
                .token_count = 1},
               64);
    });
    add(std::string("decode ") + kind.name + arithmetic_name(activation_bytes),
        static_cast<double>(bytes) / seconds, "bytes/s", "memory read", bytes_per_second_);
  }

  void measure_integer_prefill(const WeightKind& kind, int activation_bytes) {
    constexpr int64_t kTokens = 512;
    kernels::WeightMatrix weight = empty_weight(kind);
    if (kernels::coding_of(weight) == nullptr) return;
    weight = make_weight(weight, 1);
    weight.rows = std::min<int64_t>(kMatrixSize, 64 * options_.thread_count);
    const AlignedBuffer<uint8_t> panels = make_panels(weight, 1);
    weight.panels = panels.data();
    const auto x = round_ones(kTokens, activation_bytes);
    weight.activation_bytes = activation_bytes;
    std::vector<float> y(kTokens * kMatrixSize);
    const double seconds = best_seconds([&] {
      multiply({.weight = weight,
                .x = x.data(),
                .y = y.data(),
                .y_stride = kMatrixSize,
                .token_count = kTokens},
               64);
    });
    add(std::string("prefill ") + kind.name + arithmetic_name(activation_bytes),
        static_cast<double>(kTokens * weight.rows * kMatrixSize) / seconds, "multiply-adds/s",
        activation_bytes == 1 ? "int8 multiply-adds" : "half of int8 multiply-adds",
        byte_rate_ / activation_bytes);
  }

  std::vector<float> random_floats(int64_t size) {
    std::mt19937 random(2);
    std::normal_distribution<float> normal;
    std::vector<float> values(size);
    for (float& value : values) value = normal(random);
    return values;
  }

  void measure_attention() {
    measure_attend("flash", {.dim = 512, .rope_dim = 64}, 64, 640);
    measure_attend("small", {.dim = 128, .rope_dim = 64}, 8, 192);
    measure_attend("flash nvfp4-row", {.codec = CodecId::kNvfp4Row, .dim = 512, .rope_dim = 64}, 64,
                   640);
  }

  void measure_attend(const std::string& name, const kernels::RowFormat& format, int64_t heads,
                      int64_t row_count) {
    const int64_t dim = format.dim;
    const std::vector<float> source = random_floats(dim);
    std::vector<std::byte> bytes(row_count * format.bytes());
    std::vector<const std::byte*> rows;
    for (int64_t j = 0; j < row_count; ++j) {
      rows.push_back(bytes.data() + j * format.bytes());
      table_.encode_row(format, source.data(), bytes.data() + j * format.bytes());
    }
    const std::vector<float> q = random_floats(heads * dim);
    const std::vector<float> sinks(heads);
    const int64_t scratch_size = kernels::attend_scratch_floats(format, 0, heads);
    std::vector<float> outs(options_.thread_count * heads * dim);
    std::vector<float> scratches(options_.thread_count * scratch_size);
    // One token per thread and call, as in a prefill.
    const double seconds = best_seconds_at_once([&](int64_t piece) {
      table_.attend({.format = format,
                     .rows = rows.data(),
                     .value_dim = dim,
                     .row_count = row_count,
                     .q = q.data(),
                     .sinks = sinks.data(),
                     .scale = 0.05f,
                     .out = outs.data() + piece * heads * dim,
                     .scratch = scratches.data() + piece * scratch_size},
                    0, heads);
    });
    const int64_t products = 2 * options_.thread_count * heads * row_count * dim;
    add("attend " + name, static_cast<double>(products) / seconds, "multiply-adds/s",
        "float multiply-adds", float_rate_);
  }

  void measure_index_score(const std::string& name, CodecId codec) {
    constexpr int64_t kKeys = 4096;
    constexpr int64_t kHeads = 64;
    constexpr int64_t kDim = 128;
    const kernels::RowFormat format{.codec = codec, .dim = kDim};
    const std::vector<float> source = random_floats(kKeys * kDim);
    std::vector<std::byte> keys(kKeys * format.bytes());
    for (int64_t j = 0; j < kKeys; ++j)
      kernels::encode_row(format, source.data() + j * kDim, keys.data() + j * format.bytes());
    AlignedBuffer<std::byte> query(kernels::index_query_bytes(format, kHeads));
    table_.encode_index_query(format, source.data(), kHeads, query.data());
    const std::vector<float> head_weights(kHeads, 0.1f);
    std::vector<float> scores(kKeys);
    constexpr int64_t kPiece = 256;
    const double seconds = best_seconds([&] {
      pool_.parallel_for(kKeys / kPiece, [&](int64_t piece, int) {
        table_.index_score({.format = format,
                            .head_count = kHeads,
                            .query = query.data(),
                            .head_weights = head_weights.data(),
                            .keys = keys.data() + piece * kPiece * format.bytes(),
                            .key_count = kPiece,
                            .scores = scores.data() + piece * kPiece});
      });
    });
    const bool has_bytes = codec != CodecId::kBf16;
    add("index score " + name, static_cast<double>(kKeys * kHeads * kDim) / seconds,
        "multiply-adds/s", has_bytes ? "int8 multiply-adds" : "float multiply-adds",
        has_bytes ? byte_rate_ : float_rate_);
  }

  void measure_top_k() {
    constexpr int64_t kCount = 262144;
    std::vector<float> scores = random_floats(kCount);
    std::vector<int32_t> picked(512);
    const double seconds =
        best_seconds([&] { kernels::top_k(scores.data(), kCount, 512, picked.data()); });
    add("top-k", kCount / seconds, "elements/s", "memory read", bytes_per_second_ / 4);
  }

  const LimitOptions options_;
  const kernels::KernelTable& table_;
  const kernels::PeakLoops& peak_;
  const cpu_set_t processors_ = own_processors();
  ThreadPool pool_;
  std::vector<Measurement> results_;
  double bytes_per_second_ = 0;
  double float_rate_ = 0;
  double byte_rate_ = 0;
  AlignedBuffer<std::byte> weight_data_;
  std::vector<std::byte> weight_scales_;
  std::vector<float> scratch_;
};

}  // namespace

const kernels::InstructionSet& instruction_set_of(const Engine& engine) {
  const kernels::InstructionSet* set = kernels::find_instruction_set(engine.info().instruction_set);
  KVASIR_CHECK(set != nullptr, "an engine computes with a set of the list");
  return *set;
}

double memory_read_bytes_per_second(const LimitOptions& options) {
  if (options.instruction_set->peak_loops == nullptr) return 0;
  return Bench(options).memory_read_bytes_per_second();
}

std::vector<Measurement> measure_kernel_limits(const LimitOptions& options) {
  if (options.instruction_set->peak_loops == nullptr) return {};
  return Bench(options).run();
}

}  // namespace kvasir::bench
