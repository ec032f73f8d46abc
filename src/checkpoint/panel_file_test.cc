#include "checkpoint/panel_file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "base/text_file.h"
#include "panel_checkpoint.h"

namespace kvasir {
namespace {

namespace fs = std::filesystem;

class PanelFileTest : public ::testing::Test {
 protected:
  Result<PanelFile> open() {
    return PanelFile::open(checkpoint_.folder(), checkpoint_.tensors(), checkpoint_.integers(), 2);
  }
  void expect_right() {
    const auto file = open();
    ASSERT_TRUE(file.ok()) << file.error().message();
    testing::expect_panels_of(checkpoint_.first(), file->panels(0));
    testing::expect_panels_of(checkpoint_.second(), file->panels(1));
  }
  std::string path() { return panel_path(checkpoint_.folder(), checkpoint_.tensors().path()); }
  std::string text() { return read_whole_file(path()).value(); }
  // Which file it is, whatever it holds.
  uint64_t number() {
    struct stat status {};
    EXPECT_EQ(::stat(path().c_str(), &status), 0);
    return status.st_ino;
  }
  int64_t file_count() {
    return std::distance(fs::directory_iterator(checkpoint_.folder()), fs::directory_iterator());
  }

  testing::PanelCheckpoint checkpoint_;
};

TEST_F(PanelFileTest, IsWrittenOnceAndMappedByAll) {
  expect_right();
  const uint64_t first = number();
  checkpoint_.open();
  expect_right();
  EXPECT_EQ(number(), first);
  EXPECT_EQ(file_count(), 1);
  EXPECT_EQ(open()->panels_bytes(), kernels::panels_bytes(checkpoint_.first()) +
                                        kernels::panels_bytes(checkpoint_.second()));
}

TEST_F(PanelFileTest, IsNamedAfterTheCheckpointAndItsPlace) {
  const std::string path = panel_path("f", "/models/some model.gguf");
  EXPECT_TRUE(path.starts_with("f/some model-")) << path;
  EXPECT_NE(path, panel_path("f", "/other/some model.gguf"));
  EXPECT_TRUE(panel_path("f", "/models/big/model.safetensors").starts_with("f/big-"));
}

TEST_F(PanelFileTest, OfAnotherCheckpointItIsWrittenAnew) {
  expect_right();
  const std::string before = text();
  checkpoint_.write("other");
  expect_right();
  EXPECT_NE(text(), before);
  EXPECT_EQ(file_count(), 1);
}

// Also where nobody could tell from size and time of modification.
TEST_F(PanelFileTest, AnyChangeOfTheCheckpointsFileCounts) {
  expect_right();
  const std::string before = text();
  const auto time = fs::last_write_time(checkpoint_.path());
  {
    std::fstream file(checkpoint_.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-1, std::ios::end);
    file.put('x');
  }
  fs::last_write_time(checkpoint_.path(), time);
  checkpoint_.open();
  expect_right();
  EXPECT_NE(text(), before);
}

TEST_F(PanelFileTest, DamageIsFoundAndMended) {
  expect_right();
  const std::string whole = text();
  for (const size_t place : {size_t{9}, size_t{20}, size_t{100}, size_t{5000}, whole.size() - 1}) {
    std::string damaged = whole;
    damaged[place] = static_cast<char>(damaged[place] ^ 64);
    if (place == 9) damaged[8] = 0, damaged[9] = 0;  // an older version
    testing::write_file(path(), damaged);
    expect_right();
    EXPECT_EQ(text(), whole) << place;
  }
  for (const size_t size : {size_t{12}, size_t{90}, size_t{4096}, whole.size() - 1}) {
    testing::write_file(path(), whole.substr(0, size));
    expect_right();
    EXPECT_EQ(text(), whole) << size;
  }
  testing::write_file(path(), whole + "x");
  expect_right();
  EXPECT_EQ(text(), whole);
}

TEST_F(PanelFileTest, WhatIsNewerOrNotOursIsLeftAlone) {
  expect_right();
  std::string newer = text();
  newer[8] = 2;
  for (const std::string& text_there :
       {newer, std::string("a letter to a friend"), std::string()}) {
    testing::write_file(path(), text_there);
    const auto file = open();
    ASSERT_FALSE(file.ok());
    EXPECT_EQ(file.error().kind, ErrorKind::kUnsupported);
    EXPECT_EQ(text(), text_there);
  }
  fs::remove(path());
  fs::create_directory(path());
  EXPECT_FALSE(open().ok());
  EXPECT_TRUE(fs::is_directory(path()));
}

// As the file size limit of a process has it.
TEST_F(PanelFileTest, AFullDiskLeavesNothing) {
  struct rlimit before {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  ::signal(SIGXFSZ, SIG_IGN);
  struct rlimit full = before;
  full.rlim_cur = 5000;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &full), 0);
  const auto file = open();
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_FALSE(file.ok());
  EXPECT_EQ(file_count(), 0);
  expect_right();
}

TEST_F(PanelFileTest, WhatAKilledWriterLeftIsDeleted) {
  fs::create_directories(checkpoint_.folder());
  testing::write_file(path() + ".Ab1Xyz", "half");
  testing::write_file(path() + ".note", "mine");
  expect_right();
  EXPECT_FALSE(fs::exists(path() + ".Ab1Xyz"));
  EXPECT_TRUE(fs::exists(path() + ".note"));
}

TEST_F(PanelFileTest, SeveralMayWriteAtOnce) {
  const std::vector<kernels::WeightMatrix> matrices = checkpoint_.integers();
  std::vector<std::jthread> writers;
  for (int i = 0; i < 4; ++i) {
    writers.emplace_back([&] {
      for (int round = 0; round < 5; ++round) {
        fs::remove(path());
        const auto file = PanelFile::open(checkpoint_.folder(), checkpoint_.tensors(), matrices, 1);
        // The others delete what it wrote before it is mapped, now and then.
        if (!file) continue;
        testing::expect_panels_of(matrices[0], file->panels(0));
        testing::expect_panels_of(matrices[1], file->panels(1));
      }
    });
  }
  writers.clear();
  expect_right();
  EXPECT_EQ(file_count(), 1);
}

}  // namespace
}  // namespace kvasir
