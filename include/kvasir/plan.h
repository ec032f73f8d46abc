// cache_cost says what memory a model's KV cache takes, before anything is loaded.
//
//   auto model = plan::built_in_model("deepseek-v4-flash");
//   auto cost = plan::cache_cost(*model, {.precision = "native"});
//   int64_t bytes = plan::bytes_of(cost->ram, {.context_tokens = 1 << 20});
//
// A cost is a list of terms. Each is linear in a count of tokens. So the commands, and the page
// that a browser shows, compute the same integers from the list. Plain values: nothing is loaded,
// allocated or remembered. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kvasir/result.h"

namespace kvasir::kv {
struct CacheSpec;
}

namespace kvasir::plan {

// The longest context that is planned. A sum beyond int64 becomes the largest int64.
inline constexpr int64_t kContextTokensMax = int64_t{1} << 32;

// ---- the model ----------------------------------------------------------------------------------

struct OwnCache;
struct OwnDecoder;

struct CacheModel {
  std::string name;
  std::string architecture;  // the config's model_type
  std::string source;        // where the numbers come from
  int64_t layer_count = 0;
  int64_t context_tokens_max = 0;  // the model's own limit; 0: not said
  int64_t value_bytes = 2;         // of the type it computes in
  int64_t query_heads = 0;         // of attention that keeps keys and values; 0: any other
  // What each layer remembers, draft layers behind the others.
  std::shared_ptr<const kv::CacheSpec> cache;
  bool holds_latents_in_fp8 = false;  // its native cache (DeepSeek-V3.2)
  // Latents that a token attends by an indexer's choice, where Kvasir can hold the others on SSD.
  int64_t picked_latents_max = 0;
  // Another precision that the checkpoint asks for as its native one; empty: values of its type.
  std::string native_precision;
  std::optional<int64_t> weight_bytes;
  std::vector<std::string> notes;  // what was not counted, or not believed, and why

  // A model whose blocks and passes Kvasir sizes itself; null: any other. `runs_here`: its config
  // is whole enough to size the buffers of a pass.
  std::shared_ptr<const OwnCache> own;
  bool runs_here = false;
  // A checkpoint of one of the decoders that Kvasir runs: its cache is planned as Kvasir allocates
  // it, in blocks of 128 tokens and with whole windows.
  bool is_decoder_here = false;
  // What sizes its passes; null: any other, or a checkpoint whose tensors are not there.
  std::shared_ptr<const OwnDecoder> decoder;
  // What Kvasir decodes or turns round of a checkpoint's weights on loading, beside them. Null: not
  // known without the files, or not a model that it runs.
  std::optional<int64_t> copied_bytes;
  int64_t panels_bytes = 0;  // of these: what lies in a file where panels are kept in one
};

// `text`: a config.json, `where` its name in messages. Errors: malformed, an architecture or a kind
// of layer that is not known, a missing or absurd field.
Result<CacheModel> model_of_config(std::string_view text, std::string_view where);
// Does the same for a GGUF file. Only its head is read; the weights are those that it lists.
Result<CacheModel> model_of_gguf(std::span<const std::byte> file, std::string_view where);

// Opens a checkpoint directory (then its weights are counted), a config.json, a GGUF file, or a
// built-in model by its name.
Result<CacheModel> open_model(const std::string& name_or_path);

// Return the known values of model_type, and of general.architecture in GGUF files; sorted.
std::vector<std::string> known_architectures();
std::vector<std::string> known_gguf_architectures();

// A BuiltInModel is one of the models that come with the program. Names are lower case.
struct BuiltInModel {
  std::string name;
  std::string title;
  std::string source;         // where the model's makers publish the config
  bool is_confirmed = false;  // it, or a copy, was read where the data says; not from memory
};
const std::vector<BuiltInModel>& built_in_models();
// Returns a built-in model. Error: there is none of that name; names that come close are told.
Result<CacheModel> built_in_model(std::string_view name);

// ---- what it costs ------------------------------------------------------------------------------

// A Growth says how often something is held for a sequence of T tokens: once when fixed, else
//   x = T, or the cap where T is more, in whole pages, less the newest `skip`
//   x * numerator / unit, rounded down or up, or x mod unit.
// A row per 4 tokens, for example, is {.unit_tokens = 4}: 250 rows for 1,003 tokens. A window of
// 128 is {.cap_tokens = 128}.
struct Growth {
  enum class Rounding : uint8_t { kDown, kUp, kRemainder };
  bool is_fixed = false;
  int64_t cap_tokens = 0;  // 0: none
  int64_t skip_tokens = 0;
  int64_t page_tokens = 1;
  int64_t numerator = 1;
  int64_t unit_tokens = 1;
  Rounding rounding = Rounding::kDown;

  int64_t count(int64_t tokens) const;
  // Returns the largest count of any context up to that one. (A remainder falls again as tokens
  // come.)
  int64_t count_max(int64_t tokens) const;
};

// A Term is one part of a cost: `bytes` for each count of its growth.
struct Term {
  std::string part;         // the line of the bill
  int64_t layer_count = 0;  // 0 in all but the first term of the same layers
  int64_t bytes = 0;        // each time
  Growth growth;
  bool is_once = false;   // for all sequences together
  bool is_state = false;  // does not hold tokens' rows: recurrent and compressor state, buffers

  // Returns the bytes for every further token, where the context has outgrown windows and pages.
  double bytes_per_token() const;
};

inline constexpr int64_t kPageTokensMax = int64_t{1} << 20;
inline constexpr int64_t kRanksMax = int64_t{1} << 16;
inline constexpr int64_t kPassTokensMax = 65536;

struct CostOptions {
  std::string precision = "native";
  std::string index_precision;       // empty: what goes with `precision`
  std::string state_precision;       // empty: float32
  int64_t page_tokens = 1;           // blocks of the engine's allocator
  int64_t tensor_parallel = 1;       // ranks that share the heads; the cost is one rank's
  bool keeps_whole_windows = false;  // as engines do whose prefix cache needs them
  bool with_draft = false;
  int64_t pass_tokens = 256;  // Kvasir's --chunk
  bool maps_panels = false;   // Kvasir's --panels
};

// What one record of Kvasir's takes in a store or at a remote engine, header and padding included.
struct RecordSizes {
  int64_t block_bytes = 0;
  int64_t state_bytes = 0;  // 0: a sequence goes on from every block, and no states are kept
};

struct CacheCost {
  std::vector<Term> ram;  // all rows in RAM
  // Kvasir only, in its own blocks (pages of 1 or 128 tokens): cold rows on SSD. `ram_cold` is what
  // the cache allocates then; the budget to be given is more (budget_for_cold).
  std::vector<Term> ram_cold;
  std::vector<Term> ssd;               // a store that has all of it
  std::optional<RecordSizes> records;  // null: Kvasir does not hold the cache this way
  std::vector<std::string> notes;      // options that change nothing here, and why
};

// Returns the terms of a cache. Error: no such precision, or it says nothing about such a cache.
Result<CacheCost> cache_cost(const CacheModel& model, const CostOptions& options);

// Returns whether Kvasir itself would hold the cache this way: DeepSeek-V4, in one of its
// precisions, in its own blocks, on one machine.
bool is_of_kvasir(const CacheModel& model, const CostOptions& options);

// Returns the bytes of the working buffers of Kvasir's forward pass; 0 for models that it does not
// run.
int64_t pass_buffer_bytes(const CacheModel& model, const CostOptions& options,
                          int64_t context_tokens, int thread_count);

// Returns CacheModel::copied_bytes where the options are those of a run of Kvasir; null elsewhere.
// Mapped panels are no part of it.
std::optional<int64_t> copied_bytes(const CacheModel& model, const CostOptions& options);
// Returns the bytes of panels in a mapped file, where the options are those of a run that has one.
int64_t mapped_panel_bytes(const CacheModel& model, const CostOptions& options);

// Returns the bytes of the weights of one rank, evenly divided; 0 when they are not known.
int64_t weights_of_rank(const CacheModel& model, const CostOptions& options);

// A Load says how many sequences of which length are held.
struct Load {
  int64_t context_tokens = 0;  // of each sequence
  int64_t sequences = 1;
  int64_t shared_prefix_tokens = 0;  // that all sequences begin with, held once
  bool is_bound = false;             // count the most that any context up to that one takes
};
// Return the bytes of one term, and of all terms together, for a load.
int64_t bytes_of(const Term& term, const Load& load);
int64_t bytes_of(std::span<const Term> terms, const Load& load);
// Returns the RAM budget (EngineOptions::ram_bytes) that leaves so many bytes to the cache.
int64_t budget_for_cold(int64_t cache_bytes);

// ---- precisions ---------------------------------------------------------------------------------

struct PrecisionInfo {
  std::string name;
  std::string what;        // in a few words
  bool runs_here = false;  // Kvasir can run DeepSeek-V4 with it
};
const std::vector<PrecisionInfo>& precisions();

}  // namespace kvasir::plan
