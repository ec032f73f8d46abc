#include "base/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace kvasir {
namespace {

bool is_surrogate(uint32_t code_point) { return code_point >= 0xD800 && code_point < 0xE000; }

TEST(Utf8, EveryCodePointReadsBack) {
  for (uint32_t code_point = 0; code_point < kInvalidByte; ++code_point) {
    std::string bytes;
    append_character(code_point, bytes);
    const Utf8Character read = read_character(bytes, 0);
    if (is_surrogate(code_point)) {
      ASSERT_EQ(read.code_point, kInvalidByte);
      continue;
    }
    ASSERT_EQ(read.code_point, code_point);
    ASSERT_EQ(read.size_bytes, bytes.size());
    ASSERT_EQ(incomplete_tail_bytes(bytes), 0u);
    for (size_t cut = 1; cut < bytes.size(); ++cut) {
      const std::string head = bytes.substr(0, cut);
      ASSERT_EQ(read_character(head, 0).code_point, kInvalidByte);
      ASSERT_EQ(incomplete_tail_bytes("x" + head), cut);
    }
  }
}

TEST(Utf8, BytesThatAreNoCharacter) {
  for (const char* bytes :
       {"\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xE0\x80\x80", "\xED\xA0\x80", "\xF0\x80\x80\x80",
        "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "\xC3(", "\xE4\xB8(", "\xF0\x9F\x98("}) {
    const Utf8Character read = read_character(bytes, 0);
    EXPECT_EQ(read.code_point, kInvalidByte) << bytes;
    EXPECT_EQ(read.size_bytes, 1u) << bytes;
    EXPECT_EQ(incomplete_tail_bytes(bytes), 0u) << bytes;
  }
}

TEST(Utf8, TailsThatNothingCanComplete) {
  for (const char* bytes : {"", "a", "\xE0\x80", "\xED\xA0", "\xF4\x90", "\xF0\x80", "\xC0", "\xF8",
                            "\x80\x80\x80\x80"}) {
    EXPECT_EQ(incomplete_tail_bytes(bytes), 0u) << bytes;
  }
}

}  // namespace
}  // namespace kvasir
