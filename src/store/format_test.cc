// The bytes of segment files: what is written decodes to what was meant, what is damaged does not
// decode, and files of format version 1 stay readable.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "simulated_disk.h"
#include "store/block_store.h"
#include "store/footer.h"
#include "store/record.h"
#include "store/segment.h"
#include "store_driver.h"

namespace kvasir::store {
namespace {

using testing::SimulatedDisk;
using testing::TestRecord;

RecordHeader some_header() {
  RecordHeader header;
  header.info = {.id = {Kind::kBlock, testing::key_of(3, 4)},
                 .parent = testing::key_of(3, 3),
                 .model = testing::key_of(0, 9),
                 .token_begin = 512,
                 .token_count = 128,
                 .payload_bytes = 449'824,
                 .payload_digest = xxh3_128({}),
                 .created_s = 1'700'000'000,
                 .sequence_number = 77};
  header.checks = checks_of_pieces(std::vector<std::byte>(449'824, std::byte{3}));
  header.segment_number = 5;
  header.offset_bytes = 8192;
  for (int32_t i = 0; i < 128; ++i) header.tokens.push_back(1000 + i);
  return header;
}

TEST(Record, HeadersComeBackAsTheyWere) {
  const RecordHeader header = some_header();
  const auto decoded = decode_header(encode_header(header));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->info, header.info);
  EXPECT_EQ(decoded->segment_number, 5u);
  EXPECT_EQ(decoded->offset_bytes, 8192);
  EXPECT_EQ(decoded->tokens, header.tokens);
  EXPECT_EQ(decoded->checks.piece_bytes, 4096);
  EXPECT_EQ(decoded->checks.values, header.checks.values);
}

TEST(Record, PiecesGrowUntilTheirChecksFit) {
  EXPECT_EQ(checks_of_pieces(std::vector<std::byte>(422 * 4096)).piece_bytes, 4096);
  const PieceChecks checks = checks_of_pieces(std::vector<std::byte>(422 * 4096 + 1));
  EXPECT_EQ(checks.piece_bytes, 8192);
  EXPECT_EQ(checks.values.size(), 212u);
}

TEST(Record, AHeaderWithAnyByteChangedIsNone) {
  Page page = encode_header(some_header());
  for (std::byte& byte : page) {
    byte ^= std::byte{1};
    EXPECT_FALSE(decode_header(page));
    byte ^= std::byte{1};
  }
}

// A valid checksum over numbers that cannot be.
TEST(Record, ImpossibleNumbersAreRefusedWhoeverWroteThem) {
  const auto with = [](size_t offset, auto value) {
    Page page = encode_header(some_header());
    std::memcpy(page.data() + offset, &value, sizeof value);
    const Digest128 checksum = xxh3_128(std::span(page).first(kPageBytes - sizeof(Digest128)));
    std::memcpy(page.data() + kPageBytes - sizeof checksum, checksum.data(), sizeof checksum);
    return decode_header(page).has_value();
  };
  EXPECT_TRUE(with(24, int64_t{4096}));   // another offset
  EXPECT_TRUE(with(8, uint32_t{1}));      // without checks of pieces
  EXPECT_FALSE(with(8, uint32_t{0}));     // format version
  EXPECT_FALSE(with(8, uint32_t{3}));     // format version
  EXPECT_FALSE(with(12, uint32_t{3}));    // kind
  EXPECT_FALSE(with(12, uint32_t{2}));    // a state with tokens
  EXPECT_FALSE(with(144, int64_t{-1}));   // first token
  EXPECT_FALSE(with(152, int64_t{129}));  // token count
  EXPECT_FALSE(with(152, int64_t{0}));    // a block without tokens
  EXPECT_FALSE(with(160, int64_t{-1}));   // payload bytes
  EXPECT_FALSE(with(160, kPayloadBytesMax + 1));
  EXPECT_FALSE(with(160, kPayloadBytesMax));  // larger pieces
  EXPECT_FALSE(with(696, int64_t{-4096}));    // piece bytes
  EXPECT_FALSE(with(696, int64_t{4097}));
  EXPECT_FALSE(with(696, int64_t{1} << 40));
}

std::vector<PlacedRecord> some_records() {
  std::vector<PlacedRecord> records;
  int64_t offset = 0;
  for (uint64_t i = 0; i < 60; ++i) {
    RecordInfo info = some_header().info;
    info.payload_bytes = static_cast<int64_t>(i) * 777;
    info.sequence_number = i;
    records.push_back({info, offset});
    offset += info.record_bytes();
  }
  return records;
}

TEST(Footer, ComesBackAsItWas) {
  const std::vector<PlacedRecord> records = some_records();
  const int64_t end = records.back().offset_bytes + records.back().info.record_bytes();
  const std::vector<std::byte> footer = encode_footer(9, end, records);
  EXPECT_EQ(std::ssize(footer), footer_bytes(std::ssize(records)));
  const auto trailer = decode_trailer(std::span(footer).last(kPageBytes), end + std::ssize(footer));
  ASSERT_TRUE(trailer);
  EXPECT_EQ(trailer->segment_number, 9u);
  const auto entries =
      std::span(footer).first(static_cast<size_t>(trailer->entry_count * kFooterEntryBytes));
  EXPECT_EQ(decode_entries(*trailer, entries), records);
  // A file of another length: cut, or with something behind it.
  EXPECT_FALSE(decode_trailer(std::span(footer).last(kPageBytes), end + std::ssize(footer) + 4096));
}

TEST(Footer, EntriesThatOverlapOrReachBeyondAreRefused) {
  const auto is_taken = [](std::vector<PlacedRecord> records, int64_t end) {
    const std::vector<std::byte> footer = encode_footer(9, end, records);
    const auto trailer =
        decode_trailer(std::span(footer).last(kPageBytes), end + std::ssize(footer));
    EXPECT_TRUE(trailer);
    return decode_entries(*trailer, std::span(footer).first(static_cast<size_t>(
                                        trailer->entry_count * kFooterEntryBytes)))
        .has_value();
  };
  const std::vector<PlacedRecord> good = some_records();
  const int64_t end = good.back().offset_bytes + good.back().info.record_bytes();
  EXPECT_TRUE(is_taken(good, end));
  EXPECT_FALSE(is_taken(good, end - kPageBytes));
  std::vector<PlacedRecord> bad = good;
  bad[7].offset_bytes -= kPageBytes;
  EXPECT_FALSE(is_taken(bad, end));
  bad = good;
  bad[7].offset_bytes += 1;
  EXPECT_FALSE(is_taken(bad, end));
  bad = good;
  bad[7].offset_bytes = -kPageBytes;
  EXPECT_FALSE(is_taken(bad, end));
}

TEST(Segment, FileNames) {
  EXPECT_EQ(segment_file_name(0x1f), "segment-000000000000001f.kvs");
  EXPECT_EQ(parse_segment_file_name("segment-000000000000001f.kvs"), 0x1fu);
  for (const char* name : {"segment-1f.kvs", "segment-000000000000001f.kv", "LOCK",
                           "segment-000000000000001g.kvs", "segment--00000000000001f.kvs", ""}) {
    EXPECT_FALSE(parse_segment_file_name(name)) << name;
  }
}

// A record copied to another place keeps its checksums, and is none there.
TEST(Segment, ARecordInAnotherPlaceIsNone) {
  auto disk = std::make_shared<SimulatedDisk>();
  const BlockStoreOptions options{.directory = "/s", .min_free_bytes = 0};
  {
    auto store = BlockStore::open(disk, options);
    for (int64_t b = 0; b < 2; ++b) ASSERT_TRUE(testing::put(**store, {1, b}).ok());
  }
  std::vector<std::byte>& bytes = *disk->contents("/s/" + segment_file_name(1));
  // Without the footer, so that headers are looked for; then the first record once more behind.
  bytes.erase(bytes.end() - footer_bytes(2), bytes.end());
  const auto first =
      static_cast<size_t>(kPageBytes + padded_to_pages(std::ssize(testing::payload_of({1, 0}))));
  const std::vector<std::byte> copy(bytes.begin(), bytes.begin() + static_cast<int64_t>(first));
  bytes.insert(bytes.end(), copy.begin(), copy.end());
  const auto contents = load_segment(*disk, "/s/" + segment_file_name(1), 1);
  ASSERT_TRUE(contents.ok());
  EXPECT_EQ(contents->records.size(), 2u);
  // The whole file under another number holds nothing.
  EXPECT_TRUE(load_segment(*disk, "/s/" + segment_file_name(1), 2)->records.empty());
}

// ---- kept files of every format version ----

constexpr const char* kGoldenFolder = KVASIR_SOURCE_DIR "/tests/golden_store/";
const std::string kGoldenFile = std::string(kGoldenFolder) + "v" + std::to_string(kFormatVersion) +
                                "/segment-0000000000000001.kvs";
constexpr TestRecord kGoldenRecords[] = {{1, 0}, {1, 1}, {1, 1, Kind::kState}, {2, 0}};

std::vector<std::byte> written_now() {
  auto disk = std::make_shared<SimulatedDisk>();
  {
    auto store = BlockStore::open(disk, {.directory = "/s", .min_free_bytes = 0, .now_s = [] {
                                           return int64_t{1'700'000'000};
                                         }});
    for (const TestRecord& record : kGoldenRecords) {
      EXPECT_TRUE(testing::put(**store, record).ok());
    }
  }
  return *disk->contents("/s/" + segment_file_name(1));
}

TEST(GoldenStore, IsWrittenByteForByte) {
  const std::vector<std::byte> bytes = written_now();
  if (std::getenv("KVASIR_WRITE_GOLDEN_STORE") != nullptr) {
    std::filesystem::create_directories(std::filesystem::path(kGoldenFile).parent_path());
    std::ofstream(kGoldenFile, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), std::ssize(bytes));
  }
  std::ifstream file(kGoldenFile, std::ios::binary);
  const std::vector<char> kept{std::istreambuf_iterator<char>(file),
                               std::istreambuf_iterator<char>()};
  ASSERT_EQ(kept.size(), bytes.size());
  EXPECT_EQ(std::memcmp(kept.data(), bytes.data(), kept.size()), 0)
      << "a format version must not change: write another version beside it";
}

TEST(GoldenStore, IsReadWhole) {
  for (uint32_t version = kFormatVersionMin; version <= kFormatVersion; ++version) {
    auto store = BlockStore::open(
        posix_file_system(),
        {.directory = kGoldenFolder + ("v" + std::to_string(version)), .is_writer = false});
    ASSERT_TRUE(store.ok());
    for (const TestRecord& record : kGoldenRecords) {
      EXPECT_EQ(testing::read(**store, record), testing::ReadOutcome::kRight);
    }
    EXPECT_TRUE((*store)->verify(false, {})->empty());
  }
}

}  // namespace
}  // namespace kvasir::store
