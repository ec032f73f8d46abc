#include "model/deepseek_v4/gguf_tensor_names.h"

#include <gtest/gtest.h>

#include <string>

#include "deepseek4_gguf.h"

namespace kvasir::model::deepseek_v4 {
namespace {

TEST(GgufTensorNames, EveryTensorOfAModelHasAnOfficialNameAndBack) {
  const auto model = testing::gguf_model(testing::quick_model_spec(), {});
  for (const testing::GgufModelTensor& tensor : model.tensors) {
    std::string official = tensor.official;
    const size_t expert = official.find("*.");
    if (expert != std::string::npos) official.erase(expert, 2);
    EXPECT_EQ(official_name_of_gguf(tensor.name), official) << tensor.name;
    EXPECT_EQ(gguf_name_of(official), tensor.name);
  }
}

TEST(GgufTensorNames, PartsOfDraftsKeepTheirNames) {
  EXPECT_EQ(official_name_of_gguf("blk.43.nextn.eh_proj.weight"), "layers.43.nextn.eh_proj.weight");
}

TEST(GgufTensorNames, OtherNamesBelongToNothing) {
  for (const char* name :
       {"", "token_embd", "output.bias", "blk.0", "blk..attn_q_a.weight", "blk.01.attn_q_a.weight",
        "blk.x.attn_q_a.weight", "blk.0.attn_q.weight", "blk.0.attn_q_a.bias", "attn_q_a.weight",
        "layers.0.attn.wq_a.weight", "blk.0.exp_probs_b.weight", "blk.1234567.attn_q_a.weight"}) {
    EXPECT_EQ(official_name_of_gguf(name), std::nullopt) << name;
  }
  EXPECT_EQ(gguf_name_of("layers.0.ffn.experts.gate_up_proj.weight"),
            "layers.0.ffn.experts.gate_up_proj.weight");
}

}  // namespace
}  // namespace kvasir::model::deepseek_v4
