#include "server/session_name.h"

#include <gtest/gtest.h>

namespace kvasir::server {
namespace {

TEST(SessionNameTest, TheClientsOwnNameIsKeptWhereAHeaderCanHaveIt) {
  EXPECT_EQ(session_name(nullptr, "agent-7:main.2_b", "fresh"), "agent-7:main.2_b");
  EXPECT_EQ(session_name(nullptr, "", "fresh"), "fresh");
}

TEST(SessionNameTest, WhatCameInTheHeaderIsKept) {
  const std::string sent = "by-a-proxy";
  const std::string nothing;
  EXPECT_EQ(session_name(&sent, "agent-7", "fresh"), "by-a-proxy");
  EXPECT_EQ(session_name(&nothing, "agent-7", "fresh"), "agent-7");
}

TEST(SessionNameTest, OtherNamesAreHashedAndStayApart) {
  const std::string spaced = session_name(nullptr, "my chat\r\nx: y", "fresh");
  EXPECT_EQ(spaced.size(), 32u);
  EXPECT_EQ(spaced, session_name(nullptr, "my chat\r\nx: y", "other"));
  EXPECT_NE(spaced, session_name(nullptr, "my chat\r\nx: z", "fresh"));
  EXPECT_EQ(session_name(nullptr, std::string(65, 'a'), "fresh").size(), 32u);
}

}  // namespace
}  // namespace kvasir::server
