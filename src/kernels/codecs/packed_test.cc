#include "kernels/codecs/packed.h"

#include <gtest/gtest.h>

#include <vector>

#include "kernels/test_support.h"

namespace kvasir::kernels {
namespace {

TEST(PackedCodes, ComeBackWhateverTheirNumber) {
  Random random(1);
  for (int bits = 1; bits <= 4; ++bits) {
    for (int64_t count = 1; count <= 200; ++count) {
      std::vector<uint8_t> codes(static_cast<size_t>(count));
      for (uint8_t& code : codes) code = static_cast<uint8_t>(random.integer(0, (1 << bits) - 1));
      std::vector<std::byte> packed(static_cast<size_t>(packed_bytes(bits, count)),
                                    std::byte{0xee});
      pack_codes(bits, codes.data(), count, packed.data());
      std::vector<uint8_t> back(codes.size(), 0xee);
      unpack_codes(bits, packed.data(), count, back.data());
      ASSERT_EQ(back, codes) << bits << " bits, " << count;
      std::vector<std::byte> one_by_one(packed.size());
      for (int64_t i = 0; i < count; ++i) {
        put_code(bits, count, i, codes[i], one_by_one.data());
        ASSERT_EQ(code_at(bits, count, i, packed.data()), codes[i]);
      }
      ASSERT_EQ(one_by_one, packed) << bits << " bits, " << count;
    }
  }
}

TEST(PackedCodes, LieWhereTheHeaderSays) {
  std::vector<uint8_t> codes(128, 0);
  codes[33] = 5;
  codes[49] = 6;
  std::vector<std::byte> packed(static_cast<size_t>(packed_bytes(4, 128)));
  pack_codes(4, codes.data(), 128, packed.data());
  EXPECT_EQ(packed[17], std::byte{0x65});
  pack_codes(3, codes.data(), 128, packed.data());
  EXPECT_EQ(packed[1], std::byte{(1 << 4) | (2 << 6)});
  EXPECT_EQ(packed[32 + 4], std::byte{2});
  EXPECT_EQ(packed[32 + 6], std::byte{2});
}

TEST(PackedCodes, TakeNoMoreThanTheirBits) {
  EXPECT_EQ(packed_bytes(4, 64), 32);
  EXPECT_EQ(packed_bytes(3, 64), 24);
  EXPECT_EQ(packed_bytes(2, 64), 16);
  EXPECT_EQ(packed_bytes(3, 10), 3 + 2);
}

}  // namespace
}  // namespace kvasir::kernels
