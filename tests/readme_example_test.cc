// The library as README.md shows it: the lines printed there are compiled and run here.
#include <gtest/gtest.h>

#include <cstdio>
#include <string>

#include "kvasir/chat.h"
#include "temp_directory.h"

namespace kvasir {
namespace {

// Enough prose that there is a whole block to continue from, and that the bundled model takes it
// for a text with a question.
constexpr const char* kMessage =
    "Vanity was the beginning and the end of Sir Walter Elliot's character; vanity of person and "
    "of situation. He had been remarkably handsome in his youth; and, at fifty-four, was still a "
    "very fine man. Few women could think more of their personal appearance than he did, nor "
    "could the valet of any new made lord be more delighted with the place he held in society. He "
    "considered the blessing of beauty as inferior only to the blessing of a baronetcy; and the "
    "Sir Walter Elliot, who united these gifts, was the constant object of his warmest respect "
    "and devotion. Marianne Bates owns 82 oxen. How many oxen does Marianne Bates own?";

TEST(ReadmeExample, AnswersFromTheStoreTheSecondTime) {
  const testing::TempDirectory directory;
  const std::string model = KVASIR_SOURCE_DIR "/models/kvasir-tiny";
  const std::string cache = directory.file("cache");
  const std::string message = kMessage;
  for (const int64_t reused_tokens : {0, 128}) {
    ::testing::internal::CaptureStdout();
    auto engine = Engine::open({.model_path = model, .store = StoreOptions{.directory = cache}});
    auto chat = Chat::create(*engine, {});
    auto turn = chat->turn(message, {});
    std::puts(turn->answer.c_str());
    EXPECT_EQ(::testing::internal::GetCapturedStdout(), "It is 82.\n");
    EXPECT_EQ(turn->reused_tokens, reused_tokens);
  }
}

}  // namespace
}  // namespace kvasir
