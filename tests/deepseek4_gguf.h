// DeepSeek-V4 models as GGUF files for tests, made from the parts of a Hugging Face checkpoint.
//
// Names and keys are written apart from the loader's tables, so that the two check each other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "checkpoint_maker.h"

namespace kvasir::testing {

// Types as ggml numbers them.
enum GgufType : uint32_t {
  kGgufF32 = 0,
  kGgufF16 = 1,
  kGgufQ4_0 = 2,
  kGgufQ8_0 = 8,
  kGgufQ2K = 10,
  kGgufQ4K = 12,
  kGgufQ6K = 14,
  kGgufIq2Xxs = 16,
  kGgufI32 = 26,
  kGgufBf16 = 30,
  kGgufMxfp4 = 39,
};

// How a runtime's files differ from another's. Vectors are F32 everywhere.
struct GgufDialect {
  bool states_gating = true;     // and how YaRN stretches
  int64_t output_a_stack = 0;    // matrices that it is stored as; 0: one, of two extents
  bool has_draft = false;        // one more block
  bool announces_draft = false;  // a draft that is not there
  GgufType embedding = kGgufBf16;
  GgufType output = kGgufBf16;
  GgufType dense = kGgufBf16;  // projections and the shared expert
  GgufType small = kGgufF32;   // mixing matrices, router, position bias
  GgufType compressor = kGgufBf16;
  GgufType experts_in = kGgufMxfp4;
  GgufType experts_out = kGgufMxfp4;
};
GgufDialect llama_cpp_dialect();
GgufDialect ds4_dialect();  // rows of experts are whole blocks of 256

struct GgufModelTensor {
  std::string name;
  std::vector<int64_t> dims;  // fastest first
  uint32_t type = kGgufF32;
  std::vector<std::byte> data;
  std::string official;  // with "*" for the number of an expert; empty: no part of the model
};

struct GgufModel {
  Json::Object keys;
  std::vector<GgufModelTensor> tensors;

  std::vector<std::byte> file() const;
  // The same numbers under official names, as F32: what a loaded file has to compute with.
  std::vector<TinyTensor> same_values() const;
  GgufModelTensor& tensor(std::string_view name);
  void set_key(std::string_view name, Json value);
  void drop_key(std::string_view name);
};

// The keys alone. config: as tiny_config() has it, in official fields.
Json::Object gguf_keys(const Json::Object& config, const GgufDialect& dialect);

// tensors: under official names. Plain types and MXFP4 hold the
// numbers of `tensors`, other blocks numbers of their own.
GgufModel gguf_model(const Json::Object& config, const std::vector<TinyTensor>& tensors,
                     const GgufDialect& dialect);
GgufModel gguf_model(const TinyModelSpec& spec, const GgufDialect& dialect);

// With its tokenizer. The checkpoint has official names, in one file.
GgufModel gguf_of_checkpoint(const std::string& directory, const GgufDialect& dialect);

}  // namespace kvasir::testing
