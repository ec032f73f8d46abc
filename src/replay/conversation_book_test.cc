#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/sqlite.h"
#include "kvasir/conversations.h"
#include "replay/message_json.h"
#include "temp_directory.h"

namespace kvasir {
namespace {

Message message_of(Role role, std::string text) {
  return {.role = role, .parts = {std::move(text)}};
}

KeptReply reply_of(std::string id, std::string previous, std::string question) {
  return {.id = std::move(id),
          .session = "garden",
          .key = "00ff",
          .token_count = 300,
          .time_s = 7,
          .previous = std::move(previous),
          .messages = {message_of(Role::kUser, std::move(question)),
                       message_of(Role::kAssistant, "answer")}};
}

std::string told(const std::optional<std::vector<Message>>& messages) {
  return messages ? replay::text_of(*messages) : "none";
}

class ConversationBookTest : public ::testing::Test {
 protected:
  std::unique_ptr<ConversationBook> open(int64_t bytes_max = int64_t{1} << 20) const {
    return ConversationBook::open({.path = path(), .bytes_max = bytes_max}).value();
  }
  std::string path() const { return directory_.file("conversations.sqlite"); }

  testing::TempDirectory directory_;
};

TEST_F(ConversationBookTest, AConversationIsFoundByItsLastReplyAlsoInLaterProcesses) {
  {
    const auto book = open();
    ASSERT_TRUE(book->add("alice", reply_of("1", "", "first")).ok());
    ASSERT_TRUE(book->add("alice", reply_of("2", "1", "second")).ok());
    ASSERT_TRUE(book->add("alice", reply_of("3", "1", "other")).ok());
  }
  const auto book = open();
  const auto messages = book->conversation("alice", "2");
  ASSERT_TRUE(messages);
  ASSERT_EQ(messages->size(), 4U);
  EXPECT_EQ((*messages)[0].parts.front(), "first");
  EXPECT_EQ((*messages)[2].parts.front(), "second");
  EXPECT_EQ((*book->conversation("alice", "3"))[2].parts.front(), "other");
  EXPECT_EQ(book->find_of_any("2")->session, "garden");
  EXPECT_EQ(book->find_of_any("2")->token_count, 300);
  EXPECT_EQ(book->sessions().front().id, "3");
}

TEST_F(ConversationBookTest, NobodyFindsWhatIsAnothers) {
  const auto book = open();
  ASSERT_TRUE(book->add("alice", reply_of("1", "", "first")).ok());
  EXPECT_FALSE(book->conversation("bob", "1"));
  // Nor by going on from it.
  ASSERT_TRUE(book->add("bob", reply_of("2", "1", "second")).ok());
  EXPECT_FALSE(book->conversation("bob", "2"));
}

TEST_F(ConversationBookTest, WhatIsNotKeptIsNoConversation) {
  const auto book = open();
  KeptReply bare = reply_of("1", "", "first");
  bare.messages = {};
  ASSERT_TRUE(book->add("", bare).ok());
  EXPECT_TRUE(book->find_of_any("1"));
  EXPECT_FALSE(book->conversation("", "1"));
  ASSERT_TRUE(book->add("", reply_of("2", "1", "second")).ok());
  EXPECT_FALSE(book->conversation("", "2"));
  // A reply that goes on from itself ends nowhere.
  ASSERT_TRUE(book->add("", reply_of("3", "3", "third")).ok());
  EXPECT_FALSE(book->conversation("", "3"));
}

TEST_F(ConversationBookTest, WhoHasTheMostLosesTheOldest) {
  {
    const auto book = open(100'000);
    ASSERT_TRUE(book->add("bob", reply_of("b", "", "mine")).ok());
    for (int i = 0; i < 100; ++i) {
      // Characters of several bytes.
      std::string text;
      for (int k = 0; k < 1700; ++k) text += "\u6f22";
      ASSERT_TRUE(book->add("alice", reply_of(std::to_string(i), "", text)).ok());
    }
  }
  const auto book = open(100'000);
  EXPECT_FALSE(book->find_of_any("0"));
  EXPECT_TRUE(book->conversation("alice", "99"));
  EXPECT_TRUE(book->find_of_any("90"));
  EXPECT_TRUE(book->conversation("bob", "b"));
  EXPECT_LT(std::filesystem::file_size(path()), 200'000U);
}

TEST_F(ConversationBookTest, WhatIsTooLargeIsRefusedAndCostsNothing) {
  const auto book = ConversationBook::open({.path = path(), .reply_bytes_max = 1000}).value();
  ASSERT_TRUE(book->add("", reply_of("1", "", "small")).ok());
  EXPECT_EQ(book->add("", reply_of("2", "", std::string(2000, 'x'))).error().kind,
            ErrorKind::kNoRoom);
  EXPECT_TRUE(book->conversation("", "1"));
  EXPECT_FALSE(book->find_of_any("2"));
}

// Whoever reads the file holds up no reply.
TEST_F(ConversationBookTest, AReplyIsFoundBeforeItIsWritten) {
  const auto book = open();
  ASSERT_TRUE(book->add("", reply_of("1", "", "first")).ok());
  const auto reader = SqliteDatabase::open(path(), true).value();
  ASSERT_TRUE(reader->execute("BEGIN IMMEDIATE"));
  ASSERT_TRUE(book->add("", reply_of("2", "1", "second")).ok());
  EXPECT_EQ(book->conversation("", "2")->size(), 4U);
  ASSERT_TRUE(reader->execute("COMMIT"));
}

TEST_F(ConversationBookTest, ADamagedBookIsPutAsideAndANewerOneLeftAlone) {
  std::ofstream(path()) << std::string(5000, '#');
  EXPECT_FALSE(ConversationBook::open({.path = path(), .read_only = true}).ok());
  EXPECT_FALSE(open()->find_of_any("1"));
  EXPECT_TRUE(std::filesystem::exists(path() + ".damaged"));
  std::filesystem::remove(path());
  std::filesystem::create_symlink(directory_.file("elsewhere"), path());
  EXPECT_FALSE(ConversationBook::open({.path = path()}).ok());
  EXPECT_FALSE(std::filesystem::exists(directory_.file("elsewhere")));
}

TEST_F(ConversationBookTest, OfAServerWithoutAStoreLiesInMemory) {
  const auto book = ConversationBook::open({}).value();
  ASSERT_TRUE(book->add("", reply_of("1", "", "first")).ok());
  EXPECT_TRUE(book->conversation("", "1"));
  EXPECT_FALSE(std::filesystem::exists(":memory:"));
}

TEST(MessageJson, GivesBackWhatItWasMadeOf) {
  const std::vector<Message> messages = {
      {.role = Role::kLatestReminder, .parts = {"a", "\"b\"\n"}},
      {.role = Role::kAssistant,
       .reasoning = "because",
       .calls = {{.id = "1", .name = "f", .arguments = "{\"a\": 1e3}"}},
       .said_as = "00"},
      {.role = Role::kTool, .parts = {""}, .call_id = "1"}};
  const std::string text = replay::text_of(messages);
  EXPECT_EQ(told(replay::messages_of(text)), text);
  for (const char* bad : {"", "{}", "[1]", R"([{"role":"king"}])", R"([{"role":"user"}])"}) {
    EXPECT_EQ(told(replay::messages_of(bad)), "none") << bad;
  }
}

}  // namespace
}  // namespace kvasir
