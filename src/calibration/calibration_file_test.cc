#include "calibration/calibration_file.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <limits>

#include "base/text_file.h"
#include "calibration/test_support.h"
#include "temp_directory.h"

namespace kvasir::calibration {
namespace {

using kvasir::testing::TempDirectory;
using testing::numbered_facts;
using Bytes = std::vector<std::byte>;

// Where things lie, as docs/calibration.md says it: of a first entry of 2 vectors of 4 numbers.
constexpr size_t kVersionOffset = 8;
constexpr size_t kEntryCountOffset = 84;
constexpr size_t kEntry = 88;
constexpr size_t kMeans = kEntry + 32;
constexpr size_t kLow = kMeans + 32;
constexpr size_t kHigh = kLow + 32;
constexpr size_t kCodebooks = kHigh + 32;
constexpr size_t kAxes = kCodebooks + 16 + 32 + 64;
constexpr size_t kNextEntry = kAxes + 2 * 3 * 4 * 2;

Calibration small() {
  return {
      .model = Sha256().add_text("model").finish(),
      .text = Sha256().add_text("text").finish(),
      .token_count = 4096,
      .rows = {numbered_facts(0, RowKind::kKeys, 2, 4), numbered_facts(0, RowKind::kValues, 1, 3)}};
}

Bytes with_digest(Bytes bytes) {
  const std::span<std::byte> all(bytes);
  const Digest256 digest = Sha256().add(all.first(bytes.size() - 32)).finish();
  std::memcpy(bytes.data() + bytes.size() - 32, digest.data(), 32);
  return bytes;
}

// A file with other bytes and the digest that it then has.
template <class T>
Bytes changed(size_t offset, T value) {
  Bytes bytes = to_bytes(small());
  std::memcpy(bytes.data() + offset, &value, sizeof value);
  return with_digest(std::move(bytes));
}

void expect_refused(const Bytes& bytes, const std::string& part) {
  const Result<Calibration> read = parse_calibration(bytes, "x.kvc");
  ASSERT_FALSE(read.ok()) << part;
  const std::string message = read.error().message();
  EXPECT_NE(message.find("x.kvc"), std::string::npos) << message;
  EXPECT_NE(message.find(part), std::string::npos) << message;
}

TEST(CalibrationFile, HoldsWhatWasLearnt) {
  const Result<Calibration> read = parse_calibration(to_bytes(small()), "x.kvc");
  ASSERT_TRUE(read.ok()) << read.error().message();
  EXPECT_EQ(*read, small());
}

TEST(CalibrationFile, LiesAsThePageSays) {
  const Bytes bytes = to_bytes(small());
  EXPECT_EQ(std::memcmp(bytes.data(), "KVASIRKC\1\0\0\0", 12), 0);
  const auto float_at = [&](size_t offset) {
    float value = 0;
    std::memcpy(&value, bytes.data() + offset, sizeof value);
    return value;
  };
  const RowFacts facts = small().rows[0];
  EXPECT_EQ(float_at(kMeans), facts.means[0]);
  EXPECT_EQ(float_at(kLow), facts.low[0]);
  EXPECT_EQ(float_at(kHigh), facts.high[0]);
  EXPECT_EQ(float_at(kCodebooks + 4), facts.codebook(2)[1]);
  EXPECT_EQ(float_at(kAxes - 4), facts.codebook(4)[15]);
  EXPECT_EQ(bytes[kNextEntry + 4], std::byte{2}) << "the kind of the second entry";
}

TEST(CalibrationFile, OfNothingIsWhole) {
  const Calibration none{.token_count = 1};
  EXPECT_EQ(parse_calibration(to_bytes(none), "x.kvc").value(), none);
}

TEST(CalibrationFile, WhichIsCutShortIsRefused) {
  const Bytes bytes = to_bytes(small());
  for (size_t size = 0; size < bytes.size(); ++size) {
    const Bytes cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_FALSE(parse_calibration(cut, "x.kvc").ok()) << size;
  }
}

// A digest that is right again keeps no reader from the end.
TEST(CalibrationFile, WhichWasMadeShortIsRefused) {
  const Bytes bytes = to_bytes(small());
  for (size_t size = kEntry + 32; size < bytes.size(); ++size) {
    const Bytes cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    expect_refused(with_digest(cut), "bytes more");
  }
}

TEST(CalibrationFile, WithAnyByteChangedIsRefused) {
  const Bytes bytes = to_bytes(small());
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (const auto flip : {std::byte{1}, std::byte{0x80}}) {
      Bytes damaged = bytes;
      damaged[i] ^= flip;
      EXPECT_FALSE(parse_calibration(damaged, "x.kvc").ok()) << i;
    }
  }
}

TEST(CalibrationFile, OfANewerVersionIsNotCalledDamaged) {
  Bytes bytes = to_bytes(small());
  bytes[kVersionOffset] = std::byte{2};  // where its digest lies, nobody knows
  expect_refused(bytes, "made by a newer Kvasir");
  EXPECT_EQ(parse_calibration(bytes, "x.kvc").error().kind, ErrorKind::kUnsupported);
  expect_refused(changed<uint32_t>(kVersionOffset, 0), "version 0");
}

TEST(CalibrationFile, KeepsWithinItsLimits) {
  expect_refused(changed<int64_t>(76, -1), "a number of tokens");
  expect_refused(changed<uint32_t>(kEntryCountOffset, 1), "the end of 1 entries");
  expect_refused(changed<uint32_t>(kEntryCountOffset, 0xffffffff), "bytes more");
  expect_refused(changed<uint32_t>(kEntry, 65536), "a layer from 0 to 65535, found 65536");
  expect_refused(changed<uint32_t>(kEntry + 4, 4), "a kind of rows from 0 to 3");
  expect_refused(changed<uint32_t>(kEntry + 8, 0), "vectors of a row from 1");
  expect_refused(changed<uint32_t>(kEntry + 8, 65537), "vectors of a row from 1");
  expect_refused(changed<uint32_t>(kEntry + 12, 0), "numbers of a vector from 1");
  expect_refused(changed<uint32_t>(kEntry + 12, 0xffffffff), "numbers of a vector from 1");
  expect_refused(changed<uint64_t>(kEntry + 8, (uint64_t{65536} << 32) | 257),
                 "at most 16777216 numbers of a row");
  // As large as can be, in a file that is not.
  expect_refused(changed<uint64_t>(kEntry + 8, (uint64_t{65536} << 32) | 256), "bytes more");
}

TEST(CalibrationFile, HoldsFiniteNumbersInOrder) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  expect_refused(changed(kEntry + 16, infinity), "a finite number");
  expect_refused(changed(kEntry + 24, -1.0), "not negative");
  for (const size_t offset : {kMeans + 8, kLow + 8, kHigh + 8, kCodebooks + 8}) {
    expect_refused(changed(offset, nan), "offset " + std::to_string(offset));
  }
  expect_refused(changed<uint16_t>(kAxes + 6, 0x7c00), "offset " + std::to_string(kAxes + 6));
  expect_refused(changed(kHigh + 4, -100.0f), "offset " + std::to_string(kHigh + 4));
  expect_refused(changed(kCodebooks + 4, -1.0f), "a codebook that ascends");
}

TEST(CalibrationFile, HoldsEachLayerAndKindOnce) {
  expect_refused(changed<uint32_t>(kNextEntry + 4, 1), "each layer and kind once");
}

TEST(CalibrationFile, WhichIsSomethingElseIsRefused) {
  expect_refused(Bytes(200), "not a calibration");
  expect_refused({}, "not a calibration");
}

// ---- on disk ------------------------------------------------------------------------------------

TEST(CalibrationFile, IsReadAsItWasWritten) {
  const TempDirectory folder;
  const std::string path = folder.file("x.kvc");
  kvasir::testing::write_file(path, "what was there");
  ASSERT_TRUE(write_calibration(small(), path).ok());
  EXPECT_EQ(load_calibration(path).value(), small());
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(CalibrationFile, ThatCannotBeWrittenLeavesNothing) {
  const TempDirectory folder;
  EXPECT_FALSE(write_calibration(small(), folder.file("missing/x.kvc")).ok());
  // A folder of that name, with something in it, cannot be replaced.
  std::filesystem::create_directories(folder.file("x.kvc/full"));
  const Status written = write_calibration(small(), folder.file("x.kvc"));
  ASSERT_FALSE(written.ok());
  EXPECT_NE(written.error().message().find("x.kvc"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(folder.file("x.kvc.new")));
}

TEST(CalibrationFile, ThatIsMissingIsAnError) {
  const TempDirectory folder;
  EXPECT_EQ(load_calibration(folder.file("x.kvc")).error().kind, ErrorKind::kNotFound);
}

}  // namespace
}  // namespace kvasir::calibration
