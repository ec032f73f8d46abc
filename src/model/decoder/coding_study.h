// A CodingStudy measures what other precisions would make of a text's cache
// (StudyOptions::codings). In each layer it takes the heads before they are turned, lets a sequence
// of that layer alone hold them in each precision, through the steps of the pass itself, and
// compares what comes out with what the pass has. It owns copies of a layer's heads; one thread, a
// pass at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/aligned_buffer.h"
#include "kv/memory_account.h"
#include "kv/spec.h"
#include "kvasir/result.h"
#include "kvasir/study.h"
#include "model/decoder/pass.h"
#include "model/model.h"
#include "ops/batch.h"
#include "ops/rope.h"

namespace kvasir::model::decoder {

class CodingStudy {
 public:
  // Errors: a precision that makes no sense for the model; no memory for copies of the heads of
  // options.pass_tokens_max tokens.
  static Result<std::unique_ptr<CodingStudy>> create(const Config& config,
                                                     const ModelOptions& options);

  // Returns whether a pass over this batch is measured.
  bool begin_pass(const ops::Batch& batch);
  // Copies heads before the pass changes them.
  void remember(Pass& pass, const Heads& heads);
  // Measures all precisions on the remembered heads and calls the sink. `step`: what the pass did
  // with them. exact: what its output projection will take, [n, any]. Error: no memory.
  Status measure(Pass& pass, int64_t layer, const HeadStep& step, ops::View<const float> exact);

 private:
  // Tokens that enter a sequence at once.
  struct Range {
    int64_t begin = 0;
    int64_t count = 0;
    bool is_attended = false;
  };
  // One layer's heads of a text.
  struct HeadBuffers {
    AlignedBuffer<float> query;
    AlignedBuffer<float> key;
    AlignedBuffer<float> value;

    HeadBuffers(const Config& config, int64_t token_capacity);
    bool failed() const { return query.failed() || key.failed() || value.failed(); }
    Heads of_shape(const Heads& heads);
  };

  CodingStudy(const Config& config, const ModelOptions& options, std::vector<kv::CacheSpec> specs);

  bool has_memory() const;
  Result<CodingErrors> errors_of(Pass& pass, const kv::Layer& layer, const HeadStep& step,
                                 ops::View<const float> exact);
  // Tokens of a range enter the sequence, and what they attend may be asked for.
  // Returns it, as `exact` has it.
  Result<ops::View<const float>> run(Pass& pass, const HeadStep& step, const Range& range,
                                     kv::Sequence& sequence);
  CodedDistance distance_of_rows(const ops::Ops& ops, const kv::Sequence& sequence, int64_t stream,
                                 ops::View<const float> exact);

  CodingSink sink_;
  std::vector<kv::CacheSpec> specs_;  // [codings]
  std::shared_ptr<kv::MemoryAccount> account_ = std::make_shared<kv::MemoryAccount>();
  std::vector<Range> ranges_;    // of the pass: its complete blocks
  std::vector<int32_t> tokens_;  // [tokens of a pass]; which they are is nothing to their rows
  ops::Batch batch_;
  std::vector<ops::RopeTable> ropes_;
  HeadBuffers exact_heads_;
  HeadBuffers coded_heads_;
  AlignedBuffer<float> attended_;    // [kBlockTokens, H * dv]
  AlignedBuffer<float> head_value_;  // [kBlockTokens, H * value] of latent attention
  AlignedBuffer<float> decoded_;     // [kBlockTokens, width of a vector]
};

}  // namespace kvasir::model::decoder
