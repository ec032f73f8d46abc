#include "server/stored_runs.h"

#include <gtest/gtest.h>

namespace kvasir::server {
namespace {

TEST(StoredRuns, FirstWordsStandOnOneLine) {
  EXPECT_EQ(one_line("  a\n\n b\tc\r\n", 100), "a b c ");
  EXPECT_EQ(one_line("a\x01\x1b[31mb\x7f", 100), "a[31mb") << "no controls";
  EXPECT_EQ(one_line("a\u202eb\u2066c\u200bd", 100), "abcd") << "nothing turns the others round";
  EXPECT_EQ(one_line("\xff\xc3"
                     "a\xc3",
                     100),
            "a")
      << "nor bytes that are no text";
  EXPECT_EQ(one_line("<b>", 100), "<b>");
  EXPECT_EQ(one_line("abcdef", 6), "abcdef");
  EXPECT_EQ(one_line("abcdef", 5), "abcde\u2026");
  EXPECT_EQ(one_line("ab\u00e9f", 3), "ab\u2026") << "no half characters";
}

}  // namespace
}  // namespace kvasir::server
