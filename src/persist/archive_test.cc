#include "persist/archive.h"

#include <gtest/gtest.h>

#include "persist/prefix_chain.h"
#include "persist_driver.h"
#include "store/segment_writer.h"
#include "temp_directory.h"

namespace kvasir::persist {
namespace {

using testing::CacheInStore;
using testing::small_cache_spec;
using testing::some_tokens;
using testing::TempDirectory;

class ArchiveTest : public ::testing::Test {
 protected:
  CacheInStore open(const std::string& name, int64_t budget_bytes = 0) {
    return CacheInStore(directory_.file(name), small_cache_spec(), budget_bytes);
  }
  // An archive with right keys whose blocks have these lengths, as nobody's export writes it.
  std::string write(const std::vector<int64_t>& lengths) {
    const std::string path = directory_.file("archive" + std::to_string(++written_));
    auto writer = store::SegmentWriter::create(*files_, path, 0);
    const auto keys = testing::keys_of(layout_, tokens_);
    for (size_t block = 0; block < lengths.size(); ++block) {
      const std::vector<std::byte> payload(static_cast<size_t>(lengths[block]), std::byte{1});
      const auto tokens = std::span(tokens_).subspan(block * 128, 128);
      const store::RecordInfo info{
          .id = {store::Kind::kBlock, keys[block]},
          .parent = block == 0 ? root_key(testing::test_identity(), layout_) : keys[block - 1],
          .model = testing::test_identity().model,
          .token_begin = static_cast<int64_t>(block) * 128,
          .token_count = 128,
          .payload_bytes = lengths[block],
          .payload_digest = xxh3_128(payload),
          .sequence_number = block + 1};
      EXPECT_TRUE(writer->append(info, tokens, payload).ok());
    }
    EXPECT_TRUE(writer->write_footer().ok());
    return path;
  }

  TempDirectory directory_;
  std::shared_ptr<store::FileSystem> files_ = store::posix_file_system();
  kv::CacheLayout layout_ = kv::make_layout(small_cache_spec());
  std::vector<int32_t> tokens_ = some_tokens(700, 1);
  int written_ = 0;
};

TEST_F(ArchiveTest, AConversationComesOverWhole) {
  CacheInStore from = open("from");
  Resumed live = from.resume({});
  from.append_all(live, tokens_);
  live.recorder.mark_resumable();
  from.persistence->drain();
  const std::string path = directory_.file("archive");
  const auto keys = testing::keys_of(layout_, tokens_);
  ASSERT_TRUE(export_chain(from.store(), keys.back(), *files_, path).ok());
  CacheInStore to = open("to");
  const auto report = import_archive(to.store(), *files_, path);
  ASSERT_TRUE(report.ok()) << report.error().message();
  EXPECT_EQ(report->new_records, report->records);
  EXPECT_EQ(to.resume(tokens_).sequence.length(), 640);
  // Once more: all of it is there, and its lengths are those of the store.
  EXPECT_EQ(import_archive(to.store(), *files_, path)->new_records, 0);
}

TEST_F(ArchiveTest, RecordsOfOneKindHaveOneLength) {
  CacheInStore cache = open("store");
  const int64_t right = layout_.block_bytes();
  for (const int64_t wrong : {layout_.hot_bytes, right - 1, right + 1, int64_t{2'000'000}}) {
    const auto report = import_archive(cache.store(), *files_, write({right, right, wrong}));
    ASSERT_FALSE(report.ok());
    EXPECT_EQ(report.error().kind, ErrorKind::kDamaged);
    EXPECT_TRUE(cache.store().entries().empty());
  }
}

// The store knows how long the blocks of that root key are: what it has of other texts tells.
TEST_F(ArchiveTest, LengthsAreThoseOfTheStore) {
  CacheInStore cache = open("store");
  Resumed live = cache.resume({});
  cache.append_all(live, some_tokens(300, 2));
  cache.persistence->drain();
  const size_t entries = cache.store().entries().size();
  const auto report =
      import_archive(cache.store(), *files_, write({layout_.hot_bytes, layout_.hot_bytes}));
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().kind, ErrorKind::kDamaged);
  EXPECT_EQ(cache.store().entries().size(), entries);
}

// Where nobody can know, the wrong length is taken in, and whoever reads it with the model finds
// damage.
TEST_F(ArchiveTest, AWrongLengthThatNobodyCouldKnowHarmsNothing) {
  const int64_t budget = ram_bytes_min(layout_, {.tokens_max = 256, .picked_rows_max = 4}, 700);
  for (const int64_t length : {layout_.hot_bytes, layout_.hot_bytes - 1, int64_t{2'000'000}}) {
    CacheInStore cache = open("store" + std::to_string(length), budget);
    const auto report =
        import_archive(cache.store(), *files_, write({length, length, length, length, length}));
    ASSERT_TRUE(report.ok()) << report.error().message();
    Resumed live = cache.resume({});
    cache.append_all(live, tokens_);
    live.recorder.mark_resumable();
    cache.persistence->drain();
    EXPECT_TRUE(cache.is_right(live));
  }
}

// Only the first block may be longer than the others: it may have rows that are kept whole.
TEST_F(ArchiveTest, AChainOfTwoLengthsIsNotExported) {
  const std::vector<std::byte> payload(static_cast<size_t>(layout_.block_bytes()));
  const std::span whole(payload);
  const auto exported = [&](const std::string& name, std::initializer_list<size_t> lengths) {
    CacheInStore cache = open(name);
    int64_t block = 0;
    for (const size_t length : lengths) {
      EXPECT_TRUE(
          testing::put_block(cache.store(), layout_, tokens_, block++, whole.first(length)).ok());
    }
    const auto keys = testing::keys_of(layout_, tokens_);
    const auto report = export_chain(cache.store(), keys[lengths.size() - 1], *files_,
                                     directory_.file("archive " + name));
    return report.ok() || report.error().kind != ErrorKind::kDamaged;
  };
  EXPECT_FALSE(exported("last", {99, 99, 9}));
  EXPECT_FALSE(exported("short first", {9, 99}));
  EXPECT_TRUE(exported("long first", {99, 9, 9}));
}

}  // namespace
}  // namespace kvasir::persist
