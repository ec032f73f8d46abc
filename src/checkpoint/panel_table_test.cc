#include "checkpoint/panel_table.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "checkpoint/panel_pieces.h"
#include "kernels/panels.h"
#include "numeric/blocks/block_type.h"

namespace kvasir {
namespace {

PanelTable some_table() {
  PanelTable table;
  table.checkpoint.fill(std::byte{7});
  table.entries = {
      {.tensor = "a.weight", .type = "Q4_0", .rows = 40, .cols = 64, .panels_bytes = 100},
      {.tensor = "b.weight",
       .type = "FP4",
       .rows = 16,
       .cols = 32,
       .begin_bytes = 16,
       .row_step = 2,
       .panels_bytes = 77}};
  table.entries[1].digest.fill(std::byte{3});
  table.lay_out();
  return table;
}

std::vector<std::byte> file_of(const PanelTable& table) {
  std::vector<std::byte> file = to_bytes(table);
  file.resize(static_cast<size_t>(table.file_bytes));
  return file;
}

// Right digests, so that what they cover is looked at.
void mend(std::vector<std::byte>& file) {
  uint64_t table_bytes;
  std::memcpy(&table_bytes, &file[16], sizeof table_bytes);
  if (table_bytes <= file.size() - 96) {
    const Digest128 digest = xxh3_128(std::span<const std::byte>(file).subspan(96, table_bytes));
    std::memcpy(&file[64], digest.data(), sizeof digest);
  }
  const Digest128 digest = xxh3_128(std::span<const std::byte>(file).first(80));
  std::memcpy(&file[80], digest.data(), sizeof digest);
}

std::string failure_of(const std::vector<std::byte>& file) {
  const auto table = parse_panel_table(file, "p.kvp");
  return table.ok() ? "" : table.error().message();
}

TEST(PanelTable, IsReadAsItWasWritten) {
  const PanelTable table = some_table();
  const auto read = parse_panel_table(file_of(table), "p.kvp");
  ASSERT_TRUE(read.ok()) << read.error().message();
  EXPECT_TRUE(read->is_same_but_digests(table));
  EXPECT_EQ(read->entries[1].digest, table.entries[1].digest);
  EXPECT_EQ(to_bytes(*read), to_bytes(table));
}

TEST(PanelTable, PanelsLieApartAndAligned) {
  const PanelTable table = some_table();
  EXPECT_EQ(table.entries[0].offset_bytes, 4096);
  EXPECT_EQ(table.entries[1].offset_bytes, 4096 + 128);
  EXPECT_EQ(table.file_bytes, 4096 + 128 + 77);
}

TEST(PanelTable, AnyByteThatIsWrongIsFound) {
  const PanelTable table = some_table();
  const std::vector<std::byte> file = file_of(table);
  for (size_t i = 0; i < to_bytes(table).size(); ++i) {
    std::vector<std::byte> damaged = file;
    damaged[i] ^= std::byte{1};
    EXPECT_NE(failure_of(damaged), "") << i;
  }
  for (size_t size = 0; size < file.size(); ++size) {
    EXPECT_NE(failure_of({file.begin(), file.begin() + static_cast<int64_t>(size)}), "") << size;
  }
}

TEST(PanelTable, LengthsAreCheckedBeforeTheyAreBelieved) {
  struct Case {
    size_t offset;
    uint64_t value;
    const char* words;
  };
  constexpr uint64_t kHuge = uint64_t{1} << 62;
  for (const Case& one : {Case{12, 0xffff'ffff, "a table that does not fit"},
                          {16, kHuge, "a table that does not fit"},
                          {24, kHuge, "wrong length"},
                          {96, 8, "a place of panels"},
                          {96, kHuge, "a place of panels"},
                          {104, kHuge, "a length of panels"},
                          {128, 0, "a number of rows"},
                          {136, kHuge, "a number of columns"},
                          {160, 0xffff'ffff, "a name that is too long"}}) {
    std::vector<std::byte> file = file_of(some_table());
    const bool is_short = one.offset == 12 || one.offset == 160;
    std::memcpy(&file[one.offset], &one.value, is_short ? 4 : 8);
    mend(file);
    EXPECT_NE(failure_of(file).find(one.words), std::string::npos)
        << one.offset << ": " << failure_of(file);
  }
}

TEST(PanelTable, WhatIsNotOursIsKnownByItsBeginning) {
  std::vector<std::byte> file = file_of(some_table());
  EXPECT_EQ(panel_file_kind(file), PanelFileKind::kOurs);
  file[8] = std::byte{0};
  EXPECT_EQ(panel_file_kind(file), PanelFileKind::kOurs);
  EXPECT_NE(failure_of(file), "");
  file[8] = std::byte{2};
  EXPECT_EQ(panel_file_kind(file), PanelFileKind::kNewer);
  file[0] = std::byte{0};
  EXPECT_EQ(panel_file_kind(file), PanelFileKind::kForeign);
  EXPECT_EQ(panel_file_kind({}), PanelFileKind::kForeign);
}

// A file of this version may have been written by any earlier build of it. Where these bytes
// change, the version has to; a type more only adds to them.
TEST(PanelTable, PanelsOfThisVersionAreTheseBytes) {
  std::mt19937 random(1);
  std::vector<std::byte> bytes(size_t{20} * 512 * 4);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  std::vector<Digest128> digests;
  std::vector<kernels::WeightMatrix> matrices;
  for (const BlockType& type : block_types()) {
    if (type.coding == nullptr) continue;
    matrices.push_back({.format = kernels::WeightFormat::kBlocks,
                        .rows = 20,
                        .cols = 512,
                        .data = bytes.data(),
                        .blocks = &type});
  }
  matrices.push_back({.format = kernels::WeightFormat::kFp4ScaleE8m0,
                      .rows = 20,
                      .cols = 512,
                      .data = bytes.data(),
                      .scales = bytes.data(),
                      .scale_cols = 16});
  for (const PanelPiece& piece : panel_pieces(matrices)) {
    std::vector<uint8_t> panels(static_cast<size_t>(piece.bytes));
    pack_piece(matrices[piece.matrix], piece, panels.data());
    digests.push_back(xxh3_128(std::as_bytes(std::span(panels))));
  }
  EXPECT_EQ(digests.size(), 14U);
  EXPECT_EQ(to_hex(xxh3_128(std::as_bytes(std::span(digests)))),
            "ef2eeb414253fce676e94d409dcaa866");
}

}  // namespace
}  // namespace kvasir
