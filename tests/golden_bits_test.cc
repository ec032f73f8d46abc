// Goldens of bits: digests of all logits of small checkpoints, which every instruction set of every
// processor has to give. tests/golden/bits.txt holds them; a change that is meant to change bits
// writes them anew:
//   KVASIR_WRITE_GOLDEN_BITS=tests/golden/bits.txt build/release/tests/golden_bits_test
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "base/digest.h"
#include "engine_driver.h"
#include "kvasir/engine.h"

namespace kvasir {
namespace {

const std::string kGolden = std::string(KVASIR_SOURCE_DIR) + "/tests/golden/";
constexpr size_t kTokens = 160;

// Queries in groups, a window, experts, latent rows with and without an indexer; V4 in BF16 and in
// its makers' formats; blocks of GGUF.
constexpr const char* kModels[] = {"tiny-bf16",
                                   "tiny-mixed",
                                   "decoders/llama",
                                   "decoders/gemma2",
                                   "decoders/qwen3_moe",
                                   "decoders/qwen2_int8",
                                   "decoders/gpt_oss",
                                   "decoders/deepseek_v2",
                                   "decoders/deepseek_v3_fp8_blocks",
                                   "decoders/glm_moe_dsa",
                                   "decoders/gpt_oss_mxfp4"};

// Empty: the model has no products of that kind.
std::string digest_of(const std::string& model, const char* kv, const char* compute,
                      const std::string& isa) {
  Engine engine = testing::open_engine({.model_path = kGolden + model,
                                        .kv = kv,
                                        .thread_count = 2,
                                        .chunk_tokens = 100,
                                        .instruction_set = isa,
                                        .compute = compute,
                                        .needs_text = false});
  if (std::string_view(engine.info().compute) != compute) return "";
  std::vector<int32_t> tokens = testing::read_tokens(kGolden + model + "/tokens.txt");
  tokens.resize(std::min(tokens.size(), kTokens));
  Session session = testing::new_session(engine);
  const std::vector<float> logits = testing::append_all(session, tokens);
  return to_hex(xxh3_128(std::as_bytes(std::span(logits))));
}

// "model kv compute" to the digest.
std::map<std::string, std::string> read_digests() {
  std::map<std::string, std::string> digests;
  std::ifstream file(kGolden + "bits.txt");
  for (std::string model, kv, compute, digest; file >> model >> kv >> compute >> digest;)
    digests[model + " " + kv + " " + compute] = digest;
  return digests;
}

// The digest that all sets agree on.
std::string common_digest(const std::string& model, const char* kv, const char* compute) {
  std::string first;
  for (const std::string& isa : testing::supported_instruction_sets()) {
    if (isa == "ref") continue;
    const std::string digest = digest_of(model, kv, compute, isa);
    if (first.empty()) first = digest;
    EXPECT_EQ(digest, first) << model << ", " << kv << ", " << compute << ", " << isa;
  }
  return first;
}

TEST(GoldenBits, EveryInstructionSetGivesThem) {
  const char* target = std::getenv("KVASIR_WRITE_GOLDEN_BITS");
  std::map<std::string, std::string> digests;
  for (const std::string model : kModels) {
    for (const char* kv : {"f32", "native"}) {
      for (const char* compute : {"f32", "int", "int8"}) {
        const std::string digest = common_digest(model, kv, compute);
        if (!digest.empty()) digests[model + " " + kv + " " + compute] = digest;
      }
    }
  }
  if (target == nullptr) {
    EXPECT_EQ(digests, read_digests());
    return;
  }
  std::ofstream file(target);
  for (const auto& [key, digest] : digests) file << key << " " << digest << "\n";
}

}  // namespace
}  // namespace kvasir
