#include "store/remote/redis/resp_reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/random.h"

namespace kvasir::store::remote {
namespace {

using Kind = RespValue::Kind;
constexpr RespLimits kWide = {.text_bytes_max = 1000, .elements_max = 20, .depth_max = 3};

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

struct Read {
  bool is_damaged = false;
  bool is_done = false;
  size_t taken = 0;
  RespValue value;
};

// In pieces of so many bytes, where there is place for them.
Read read(std::string_view text, const RespLimits& limits, size_t piece,
          std::span<std::byte> into = {}) {
  RespReader reader;
  reader.begin(limits, into);
  Read result;
  while (!reader.is_done() && result.taken < text.size()) {
    const std::string_view next = text.substr(result.taken, piece);
    const std::span<std::byte> place = reader.place();
    if (!place.empty() && piece % 2 == 0) {
      const size_t count = std::min(next.size(), place.size());
      std::copy_n(bytes_of(next).begin(), count, place.begin());
      reader.received(count);
      result.taken += count;
      continue;
    }
    const auto taken = reader.take(bytes_of(next));
    if (!taken.ok()) {
      EXPECT_EQ(taken.error().kind, ErrorKind::kDamaged);
      result.is_damaged = true;
      return result;
    }
    result.taken += *taken;
  }
  result.is_done = reader.is_done();
  if (result.is_done) result.value = std::move(reader.value());
  return result;
}

void append_shown(const RespValue& value, std::string& text) {
  constexpr std::string_view kKinds = "0+-:$*";
  text += kKinds[static_cast<size_t>(value.kind)];
  text += value.text;
  if (value.is(Kind::kInteger)) text += std::to_string(value.integer);
  if (!value.is(Kind::kArray)) return;
  text += '(';
  for (const RespValue& one : value.elements) append_shown(one, text += ' ');
  text += ')';
}
std::string shown(std::string_view text) {
  const Read whole = read(text, kWide, 4096);
  for (size_t piece = 1; piece < 12; ++piece) {
    const Read pieces = read(text, kWide, piece);
    EXPECT_EQ(pieces.is_damaged, whole.is_damaged) << text;
    EXPECT_EQ(pieces.is_done, whole.is_done) << text;
    EXPECT_TRUE(whole.is_damaged || pieces.taken == whole.taken) << text;
  }
  if (whole.is_damaged) return "damaged";
  if (!whole.is_done) return "more";
  std::string result;
  append_shown(whole.value, result);
  return result + " " + std::to_string(whole.taken);
}

TEST(RespReader, ReadsEveryType) {
  EXPECT_EQ(shown("+OK\r\n"), "+OK 5");
  EXPECT_EQ(shown("+\r\n"), "+ 3");
  EXPECT_EQ(shown("-ERR no\r\n+next\r\n"), "-ERR no 9");
  EXPECT_EQ(shown(":-12\r\n"), ":-12 6");
  EXPECT_EQ(shown(":9223372036854775807\r\n"), ":9223372036854775807 22");
  EXPECT_EQ(shown("$3\r\na\r\n\r\n"), "$a\r\n 9");
  EXPECT_EQ(shown("$0\r\n\r\n"), "$ 6");
  EXPECT_EQ(shown("$-1\r\n"), "0 5");
  EXPECT_EQ(shown("*-1\r\n"), "0 5");
  EXPECT_EQ(shown("*0\r\n"), "*() 4");
  EXPECT_EQ(shown("*2\r\n*2\r\n:1\r\n$1\r\nx\r\n*1\r\n*0\r\n!"), "*( *( :1 $x) *( *())) 27");
  EXPECT_EQ(shown("*3\r\n$-1\r\n*0\r\n+x\r\n"), "*( 0 *() +x) 17");
}

TEST(RespReader, WantsMore) {
  for (const char* text : {"+", "+OK", "+OK\r", "$3\r\nab", "$3\r\nabc", "$3\r\nabc\r", "*1\r\n",
                           "*2\r\n:1\r\n", "$", "*1\r\n*"}) {
    EXPECT_EQ(shown(text), "more") << text;
  }
}

TEST(RespReader, RefusesWhatIsNone) {
  for (const char* text : {"x",
                           "\r\n",
                           "HTTP/1.1 400 Bad Request\r\n",
                           "+a\nb\r\n",
                           "+a\rb\r\n",
                           ":\r\n",
                           ":+1\r\n",
                           ": 1\r\n",
                           ":01\r\n",
                           ":-0\r\n",
                           ":1x\r\n",
                           ":9223372036854775808\r\n",
                           "$-2\r\n",
                           "$\r\n",
                           "$536870913\r\n",
                           "$1\r\nab\r\n",
                           "$1\r\na\nx",
                           "$1\r\na\rx",
                           "*-2\r\n",
                           "*x\r\n",
                           ":111111111111111111111111",
                           "$99999999999999999999\r\n",
                           "_\r\n",
                           "%1\r\n"}) {
    EXPECT_EQ(shown(text), "damaged") << text;
  }
}

TEST(RespReader, HoldsToItsLimits) {
  const RespLimits plain;
  EXPECT_TRUE(read("*0\r\n", plain, 99).is_damaged);  // no arrays
  EXPECT_TRUE(read("*1000000000\r\n", kWide, 99).is_damaged);
  EXPECT_TRUE(read("*21\r\n", kWide, 99).is_damaged);
  EXPECT_TRUE(read("*11\r\n*11\r\n", kWide, 99).is_damaged);
  EXPECT_TRUE(read("*1\r\n*1\r\n*1\r\n*1\r\n", kWide, 99).is_damaged);
  EXPECT_FALSE(read("*1\r\n*1\r\n*1\r\n:1\r\n", kWide, 99).is_damaged);
  EXPECT_TRUE(read("$1001\r\n", kWide, 99).is_damaged);
  EXPECT_TRUE(
      read("*2\r\n$600\r\n" + std::string(600, 'x') + "\r\n$600\r\n", kWide, 99).is_damaged);
  EXPECT_TRUE(read("+" + std::string(1001, 'x'), kWide, 99).is_damaged);
  EXPECT_TRUE(read("+" + std::string(1000, 'x') + "\r\n", kWide, 99).is_done);
}

TEST(RespReader, PutsAStringWhereItIsWanted) {
  for (const size_t piece : {1, 2, 3, 4, 100}) {
    std::vector<std::byte> into(10);
    const Read right = read("$10\r\n0123456789\r\n+x", kWide, piece, into);
    ASSERT_TRUE(right.is_done);
    EXPECT_TRUE(right.value.is_in_memory);
    EXPECT_TRUE(right.value.text.empty());
    EXPECT_EQ(right.taken, 17u);
    EXPECT_TRUE(std::ranges::equal(into, bytes_of("0123456789")));
  }
}

TEST(RespReader, PassesOverAStringOfAnotherLength) {
  for (const size_t size : {0, 1, 9, 11, 5000}) {
    std::vector<std::byte> into(10);
    const std::string text = "$" + std::to_string(size) + "\r\n" + std::string(size, 'x') + "\r\n";
    const Read other = read(text, kWide, 7, into);
    ASSERT_TRUE(other.is_done) << size;
    EXPECT_FALSE(other.value.is_in_memory);
    EXPECT_EQ(other.value.integer, static_cast<int64_t>(size));
    EXPECT_TRUE(other.value.text.empty());
    EXPECT_TRUE(std::ranges::all_of(into, [](std::byte b) { return b == std::byte{0}; }));
  }
  std::vector<std::byte> into(10);
  RespLimits limits = kWide;
  limits.passed_over_bytes_max = 100;
  RespReader reader;
  reader.begin(limits, into);
  EXPECT_FALSE(reader.take(bytes_of("$101\r\n")).ok());
  EXPECT_EQ(reader.value().integer, 101);
  // In an array nothing is the caller's.
  EXPECT_EQ(read("*1\r\n$10\r\n0123456789\r\n", kWide, 7, into).value.elements[0].text,
            "0123456789");
}

TEST(RespReader, ReadsItsOwnWordsInAnyPieces) {
  Random random(3);
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (int64_t left = 1 + random.below(30); left > 0; --left) {
      text += random.pick(std::vector<std::string>{"*2\r\n", "*0\r\n", "$1\r\nx\r\n", ":7\r\n",
                                                   "$-1\r\n", "+a b\r\n", "-E c\r\n", "*1\r\n"});
    }
    (void)shown(text);
  }
}

}  // namespace
}  // namespace kvasir::store::remote
