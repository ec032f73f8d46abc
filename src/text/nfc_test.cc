#include "text/nfc.h"

#include <gtest/gtest.h>

#include <string>

namespace kvasir::text {
namespace {

TEST(Nfc, Composes) {
  EXPECT_EQ(to_nfc(""), "");
  EXPECT_EQ(to_nfc("plain é"), "plain é");
  EXPECT_EQ(to_nfc("e\u0301"), "\u00E9");
  EXPECT_EQ(to_nfc("\u212B\u2126"), "\u00C5\u03A9");        // have decompositions of one
  EXPECT_EQ(to_nfc("\u1100\u1161\u11A8"), "\uAC01");        // jamo
  EXPECT_EQ(to_nfc("q\u0307\u0323"), "q\u0323\u0307");      // marks in order
  EXPECT_EQ(to_nfc("a\u0323\u0302"), "\u1EAD");             // two marks
  EXPECT_EQ(to_nfc("\u0958"), "\u0915\u093C");              // is never composed
  EXPECT_EQ(to_nfc("\U0001D15E"), "\U0001D157\U0001D165");  // likewise
  EXPECT_EQ(to_nfc("\U000110A5\U000110BA"), "\U000110AB");  // beyond the basic plane
  EXPECT_EQ(to_nfc("\uFB01 \u00BD"), "\uFB01 \u00BD");      // compatibility forms stay
}

TEST(Nfc, CharactersOfNewerVersionsStayWhereTheyAre) {
  EXPECT_EQ(to_nfc("x\u0301\u07FD\u0316"), "x\u0301\u07FD\u0316");
  EXPECT_EQ(to_nfc("\U00011935\U00011930"), "\U00011935\U00011930");
}

TEST(Nfc, BytesThatAreNoCharacterStay) {
  EXPECT_EQ(to_nfc("e\xFF\u0301"), "e\xFF\u0301");
  EXPECT_EQ(to_nfc("e\u0301\xC3"), "\u00E9\xC3");
}

TEST(Nfc, ManyMarksTakeNoQuadraticTime) {
  std::string text = "a";
  std::string below;
  std::string above;
  for (int i = 0; i < 100'000; ++i) {
    text += "\u0315\u0316";
    below += "\u0316";
    above += "\u0315";
  }
  EXPECT_TRUE(to_nfc(text) == "a" + below + above);
}

}  // namespace
}  // namespace kvasir::text
