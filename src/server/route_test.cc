#include "server/route.h"

#include <gtest/gtest.h>

namespace kvasir::server {
namespace {

TEST(Route, MethodsAndErrorsOfAPath) {
  EXPECT_EQ(allowed_methods("/v1/messages"), "POST");
  EXPECT_EQ(allowed_methods("/v1/models/a/b"), "GET, HEAD");
  EXPECT_EQ(allowed_methods("/nothing"), "");
  EXPECT_STREQ(dialect_for("/v1/messages/count_tokens").name, messages().name);
  EXPECT_STREQ(dialect_for("/v1/responses").name, responses().name);
  EXPECT_STREQ(dialect_for("/nothing").name, chat_completions().name);
}

}  // namespace
}  // namespace kvasir::server
