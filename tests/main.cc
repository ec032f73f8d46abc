// The beginning of every test program.
#include <gtest/gtest.h>

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  // A death test begins its program anew: the fork of one with threads may inherit a lock that
  // nobody will open, and wait for ever.
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  return RUN_ALL_TESTS();
}
