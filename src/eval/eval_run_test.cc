#include "eval/eval_run.h"

#include <gtest/gtest.h>

namespace kvasir::eval {
namespace {

TEST(EvalRunTest, NamesSayWhatIsSeen) {
  const auto runs =
      parse_eval_runs({"native", "f32", "window-only", "no-csa", "no-hca", "top-k-8"});
  ASSERT_TRUE(runs.ok());
  EXPECT_EQ((*runs)[1].kv, "f32");
  EXPECT_FALSE((*runs)[2].visible_rows.picked || (*runs)[2].visible_rows.unpicked);
  EXPECT_TRUE(!(*runs)[3].visible_rows.picked && (*runs)[3].visible_rows.unpicked);
  EXPECT_TRUE((*runs)[4].visible_rows.picked && !(*runs)[4].visible_rows.unpicked);
  EXPECT_EQ((*runs)[5].visible_rows.index_top_k, 8);
}

TEST(EvalRunTest, PartsAreJoined) {
  const auto runs = parse_eval_runs({"k=nvfp4-row+i=sign-keys", "top-k-4+i=int2-keys", "int8-pre"});
  ASSERT_TRUE(runs.ok());
  EXPECT_EQ((*runs)[0].kv, "k=nvfp4-row,i=sign-keys");
  EXPECT_EQ((*runs)[0].visible_rows, VisibleRows());
  EXPECT_EQ((*runs)[1].kv, "i=int2-keys");
  EXPECT_EQ((*runs)[1].visible_rows.index_top_k, 4);
  EXPECT_EQ((*runs)[2].kv, "int8-pre");
}

TEST(EvalRunTest, UnknownNamesAreRefused) {
  for (const char* name : {"", "+", "f32+", "top-k-", "top-k-0", "top-k-8x", "top-k--1"}) {
    EXPECT_FALSE(parse_eval_runs({name}).ok()) << name;
  }
  EXPECT_FALSE(parse_eval_runs({"native", "native"}).ok());
}

}  // namespace
}  // namespace kvasir::eval
