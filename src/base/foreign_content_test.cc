#include "base/foreign_content.h"

#include <gtest/gtest.h>

#include <string>

namespace kvasir {
namespace {

std::string failure(std::string_view bytes, FileForm form) {
  const Status status = check_content(bytes, "model.bin", form);
  return status.ok() ? "" : status.error().message();
}

void expect_named(std::string_view bytes, FileForm form, const std::string& words) {
  const std::string message = failure(bytes, form);
  EXPECT_NE(message.find(words), std::string::npos) << message;
  EXPECT_NE(message.find("model.bin"), std::string::npos) << message;
}

constexpr std::string_view kPointer =
    "version https://git-lfs.github.com/spec/v1\n"
    "oid sha256:0000000000000000000000000000000000000000000000000000000000000000\n"
    "size 9490710\n";

TEST(ForeignContent, WhatLiesInPlaceOfAFileIsNamed) {
  for (const FileForm form : {FileForm::kJson, FileForm::kBinary}) {
    expect_named(kPointer, form, "Git LFS pointer");
    expect_named(kPointer, form, "9490710 bytes");
    expect_named(kPointer, form, "git lfs pull");
    expect_named("\n <!DOCTYPE html><html>", form, "web page");
    expect_named("<Html><head>", form, "web page");
    expect_named("<?xml version=\"1.0\"?><Error>", form, "web page");
    expect_named("Entry not found", form, "found Entry not found");
    expect_named(std::string(4096, '\0'), form, "zeros");
  }
  expect_named(R"({"error": "Invalid username or password."})", FileForm::kBinary, "a text");
  expect_named("", FileForm::kJson, "empty");
  expect_named("\xEF\xBB\xBF \n", FileForm::kJson, "empty");
}

TEST(ForeignContent, WhatMayBeSoundIsLeftToItsReader) {
  EXPECT_EQ(failure("{}", FileForm::kJson), "");
  EXPECT_EQ(failure("\xEF\xBB\xBF\n [1", FileForm::kJson), "");
  EXPECT_EQ(failure("", FileForm::kBinary), "");
  EXPECT_EQ(failure(std::string("GGUF\3\0\0\0", 8), FileForm::kBinary), "");
  EXPECT_EQ(failure(std::string("\2\0\0\0\0\0\0\0{}", 10), FileForm::kBinary), "");
}

}  // namespace
}  // namespace kvasir
