#include "base/one_line.h"

#include <gtest/gtest.h>

namespace kvasir {
namespace {

TEST(OneLine, HasNothingThatIsNotForReading) {
  EXPECT_EQ(one_line("  a\n\n b\tc\r\n", 100, "\u2026"), "a b c ");
  EXPECT_EQ(one_line("a\x01\x1b[31mb\x7f", 100, "\u2026"), "a[31mb") << "no controls";
  EXPECT_EQ(one_line("a\u202eb\u2066c\u200bd", 100, "\u2026"), "abcd")
      << "nothing turns the others round";
  EXPECT_EQ(one_line("\xff\xc3"
                     "a\xc3",
                     100, "\u2026"),
            "a")
      << "nor bytes that are no text";
  EXPECT_EQ(one_line("a\u009b31mb", 100, "..."), "a31mb") << "nor controls of eight bits";
  EXPECT_EQ(one_line("<b>", 100, "\u2026"), "<b>");
  EXPECT_EQ(one_line("abcdef", 6, "\u2026"), "abcdef");
  EXPECT_EQ(one_line("abcdef", 5, "\u2026"), "abcde\u2026");
  EXPECT_EQ(one_line("ab\u00e9f", 3, "\u2026"), "ab\u2026") << "no half characters";
}

}  // namespace
}  // namespace kvasir
