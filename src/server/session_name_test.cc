#include "server/session_name.h"

#include <gtest/gtest.h>

namespace kvasir::server {
namespace {

TEST(SessionNameTest, TheClientsOwnNameIsKeptWhereAHeaderCanHaveIt) {
  EXPECT_EQ(session_name("agent-7:main.2_b", "fresh"), "agent-7:main.2_b");
  EXPECT_EQ(session_name("", "fresh"), "fresh");
}

TEST(SessionNameTest, OtherNamesAreHashedAndStayApart) {
  const std::string spaced = session_name("my chat\r\nx: y", "fresh");
  EXPECT_EQ(spaced.size(), 32u);
  EXPECT_EQ(spaced, session_name("my chat\r\nx: y", "other"));
  EXPECT_NE(spaced, session_name("my chat\r\nx: z", "fresh"));
  EXPECT_EQ(session_name(std::string(65, 'a'), "fresh").size(), 32u);
}

}  // namespace
}  // namespace kvasir::server
