#include "text/byte_alphabet.h"

#include <gtest/gtest.h>

#include <set>

namespace kvasir::text {
namespace {

TEST(ByteAlphabet, KnownCharacters) {
  EXPECT_EQ(alphabet_character('!'), "!");
  EXPECT_EQ(alphabet_character(' '), "Ġ");
  EXPECT_EQ(alphabet_character('\n'), "Ċ");
  EXPECT_EQ(alphabet_character(0x00), "Ā");
  EXPECT_EQ(alphabet_character(0xAD), "Ń");
  EXPECT_EQ(alphabet_character(0xFF), "ÿ");
}

TEST(ByteAlphabet, EveryByteHasItsOwnCharacter) {
  std::set<std::string> seen;
  for (int byte = 0; byte < 256; ++byte) {
    const std::string character = alphabet_character(static_cast<uint8_t>(byte));
    EXPECT_TRUE(seen.insert(character).second);
    EXPECT_EQ(bytes_of_token_text(character), std::string(1, static_cast<char>(byte)));
  }
}

TEST(ByteAlphabet, TextOutsideTheAlphabetStandsForItself) {
  EXPECT_EQ(bytes_of_token_text("Ġworld"), " world");
  EXPECT_EQ(bytes_of_token_text("<｜User｜>"), "<｜User｜>");
  EXPECT_EQ(bytes_of_token_text("Ġ x"), "Ġ x");
  EXPECT_EQ(bytes_of_token_text("Ġ\xFF"), "Ġ\xFF");
  EXPECT_EQ(bytes_of_token_text(""), "");
}

}  // namespace
}  // namespace kvasir::text
