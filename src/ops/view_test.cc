#include "ops/view.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

namespace kvasir::ops {
namespace {

TEST(View, ColumnsAndRowsAreViewsOfTheSameValues) {
  std::vector<float> values(12);
  std::iota(values.begin(), values.end(), 0.0f);
  const View<float> whole = view_of(values.data(), 3, 4);
  EXPECT_TRUE(whole.is_packed());
  const View<float> columns = whole.columns(1, 2);
  EXPECT_TRUE(columns.has_shape(3, 2));
  EXPECT_FALSE(columns.is_packed());
  EXPECT_EQ(columns.row(2)[1], 10);
  EXPECT_EQ(columns.rows_from(1, 2).row(0)[0], 5);
  columns.row(0)[0] = -1;
  const View<const float> read = whole;
  EXPECT_EQ(read.row(0)[1], -1);
}

TEST(View, MoreThanThereIsIsABug) {
  AlignedBuffer<float> buffer(12);
  EXPECT_DEATH(view_of(buffer, 4, 4), "sized");
  EXPECT_DEATH((void)view_of(buffer, 3, 4).columns(3, 2), "columns of the view");
  EXPECT_DEATH((void)view_of(buffer, 3, 4).rows_from(-1, 2), "rows of the view");
}

}  // namespace
}  // namespace kvasir::ops
