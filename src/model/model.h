// A Model is a loaded model of any family, as the engine runs it.
//
// SAME BITS: a token's logits depend on the weights, the tokens before it, the cache precision, the
// instruction set and the rows made visible, and on nothing else. A Model owns its weights and all
// working memory. It runs one pass at a time, from one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "checkpoint/load_options.h"
#include "kv/layout.h"
#include "kv/row_cache.h"
#include "kv/sequence.h"
#include "kv/side.h"
#include "kvasir/result.h"
#include "kvasir/study.h"

namespace kvasir::kernels {
struct KernelTable;
}

namespace kvasir::model {

// The largest pass that a user may ask for.
inline constexpr int64_t kPassTokensMax = 65536;

// ModelOptions say how a model is to be loaded and run.
struct ModelOptions {
  // "native": as the model's makers fixed its cache; or the name of a codec that the family takes.
  std::string precision = "native";
  const kernels::KernelTable* table = nullptr;  // of an instruction set that this machine has
  int thread_count = 1;
  std::vector<int> processors;    // that threads are bound to, as many; none: they are not bound
  int64_t pass_tokens_max = 256;  // memory of a pass grows with it
  // How long sequences may become: decides between the two ropes of LongRoPE. 0: as long as the
  // model was made for.
  int64_t context_tokens = 0;
  Arithmetic arithmetic = Arithmetic::kBest;  // of products
  std::string panels_folder;                  // as LoadOptions has it
  StudyOptions study;
  kv::SideSource side_source;  // null: codings that need side data are refused
};

LoadOptions load_options(const ModelOptions& options);

// Facts are what an engine has to know of a model besides its cache.
struct Facts {
  std::string family;
  int64_t vocab_size = 0;
  int64_t hidden_size = 0;
  int64_t layer_count = 0;
  int64_t context_tokens_max = 0;  // the length it was made for; 0: its config does not say
  int64_t picked_rows_max = 0;     // rows of one layer that a token attends by an indexer's choice
  uint64_t weight_bytes = 0;       // of the tensors in use, as stored
  int64_t copied_bytes = 0;        // copied of them on loading: decoded, turned round, in panels
  int64_t mapped_panel_bytes = 0;  // panels that lie in a mapped file instead
  std::optional<Error> panels_note;  // why they do not, where that was asked for
  int activation_bytes = 0;          // of products, where any is one of integers; else 0
  int64_t bos_token_id = 0;
  bool begins_with_bos = false;  // every text does, whatever the tokenizer's files say
  std::vector<int64_t> eos_token_ids;
};

// LogitsOf says which tokens of a piece get logits.
enum class LogitsOf : uint8_t { kNone, kLastToken, kAllTokens };

// A Piece is the new tokens of one sequence. A sequence occurs at most once in a pass.
struct Piece {
  kv::Sequence* sequence = nullptr;
  std::span<const int32_t> tokens;  // not empty, each in [0, vocab)
  LogitsOf logits_of = LogitsOf::kNone;
  float* logits = nullptr;  // [1 or tokens.size(), vocab]
};

class Model {
 public:
  virtual ~Model() = default;
  Model() = default;
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  virtual const Facts& facts() const = 0;
  virtual const ModelOptions& options() const = 0;
  virtual std::shared_ptr<const kv::CacheLayout> layout() const = 0;
  // Returns what layout() would be in another precision. Error: the model has none in it.
  virtual Result<kv::CacheLayout> layout_in(std::string_view precision) const = 0;

  // Returns a name of all that the rows depend on besides the tokens and the options: architecture
  // and weights. It takes as long as reading what it hashes.
  virtual Digest256 fingerprint() const = 0;
  // Returns a name of what a study changes in the rows; empty for the model as it is meant.
  virtual std::string study_name() const = 0;
  // Returns the bytes of the buffers of a pass that are taken now. Some grow with the longest
  // sequence.
  virtual int64_t pass_buffer_bytes() const = 0;

  // Appends every piece's tokens to its sequence and writes the logits asked for. Rows that are not
  // in memory come by way of `row_cache`; null: all are in memory.
  // REQUIRES: 1 <= tokens in all <= pass_tokens_max; sequences of layout(). Errors: no memory for
  // the cache; then no sequence has changed in what it holds. Rows that could not be read; then
  // sequences with cold parts still know their tokens, but are of no further use.
  virtual Status forward(std::span<const Piece> pieces, kv::RowCache* row_cache) = 0;
};

}  // namespace kvasir::model
