#include "store/remote/s3/list_xml.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace kvasir::store::remote {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}
std::optional<ListPage> parse(std::string_view xml) { return parse_list_page(bytes_of(xml)); }
std::string list_of(std::string_view inner) {
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
         "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">" +
         std::string(inner) + "</ListBucketResult>";
}

constexpr std::string_view kLast = "<IsTruncated>false</IsTruncated>";

// As Amazon's documentation shows one.
TEST(ListXml, PageIsRead) {
  const auto page = parse(list_of(
      "<Name>bucket</Name><Prefix/><KeyCount>2</KeyCount><MaxKeys>2</MaxKeys>"
      "<IsTruncated>true</IsTruncated>"
      "<NextContinuationToken>1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=</NextContinuationToken>"
      "<Contents><Key>a &amp; b&#x2F;c</Key><LastModified>2014-11-21T19:40:05.000Z</LastModified>"
      "<ETag>&quot;70ee1738b6b21e2c8a43f3a5ab0eee71&quot;</ETag><Size>11</Size>"
      "<Owner><ID>x</ID></Owner><StorageClass>STANDARD</StorageClass></Contents>\n"
      "<Contents>\n  <Size>9000000000</Size>\n  <Key><![CDATA[<d>]]></Key></Contents>"));
  ASSERT_TRUE(page.has_value());
  EXPECT_EQ(page->keys, (std::vector<ListedKey>{{"a & b/c", 11}, {"<d>", 9'000'000'000}}));
  EXPECT_EQ(page->next_token, "1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=");
}

TEST(ListXml, LastPageHasNoToken) {
  const auto page = parse(list_of(kLast));
  ASSERT_TRUE(page.has_value());
  EXPECT_TRUE(page->keys.empty());
  EXPECT_EQ(page->next_token, "");
  EXPECT_TRUE(parse(list_of(std::string(kLast) + "<NextContinuationToken/>")).has_value());
}

TEST(ListXml, WhatIsNoPageIsDamaged) {
  const std::string last(kLast);
  const std::string contents = "<Contents><Key>a</Key><Size>1</Size></Contents>";
  const std::string pages[] = {
      "",
      "nonsense",
      "<a/>",
      "<ListBucketResult/>",
      list_of(contents),                            // does it go on?
      list_of("<IsTruncated>true</IsTruncated>"),   // but how?
      list_of("<IsTruncated>maybe</IsTruncated>"),  //
      list_of(last + "<NextContinuationToken>t</NextContinuationToken>"),
      list_of(last + last),
      list_of(last + "<Contents/>"),
      list_of(last + "<Contents><Key>a</Key></Contents>"),
      list_of(last + "<Contents><Size>1</Size></Contents>"),
      list_of(last + "<Contents><Key>a</Key><Key>b</Key><Size>1</Size></Contents>"),
      list_of(last + "<Contents><Key>a</Key><Size>-1</Size></Contents>"),
      list_of(last + "<Contents><Key>a</Key><Size>1x</Size></Contents>"),
      list_of(last + "<Contents><Key>a</Key><Size>99999999999999999999</Size></Contents>"),
      list_of(last + "<Contents><Key>&unknown;</Key><Size>1</Size></Contents>"),
      list_of(last + "<Contents><Key>" + std::string(5000, 'k') +
              "</Key><Size>1</Size></Contents>"),
      list_of(last) + list_of(last),
      list_of(last) + "garbage",
  };
  for (const std::string& page : pages) {
    EXPECT_FALSE(parse(page).has_value()) << page;
  }
  const std::string whole = list_of(last + contents);
  ASSERT_TRUE(parse(whole).has_value());
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(parse(std::string_view(whole).substr(0, size)).has_value()) << size;
  }
}

// What a sender could blow up a small answer with.
TEST(ListXml, EntitiesAndDepthAreRefused) {
  const std::string bomb =
      "<!DOCTYPE l [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]>"
      "<ListBucketResult><IsTruncated>false</IsTruncated><Name>&b;</Name></ListBucketResult>";
  EXPECT_FALSE(parse(bomb).has_value());
  EXPECT_FALSE(parse("<!DOCTYPE l SYSTEM \"file:///etc/passwd\">" + list_of(kLast)).has_value());
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "<a>";
  EXPECT_FALSE(parse(list_of(deep)).has_value());
}

TEST(ListXml, CodeOfAnErrorIsRead) {
  EXPECT_EQ(error_code_of(bytes_of("<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code>"
                                   "<Message>The specified key does not exist.</Message>"
                                   "<RequestId>4442587FB7D0A2F9</RequestId></Error>")),
            "NoSuchKey");
  for (const std::string_view xml :
       {"", "<html>", "<Error/>", "<Error><Code>a b</Code></Error>", "<a><Code>b</Code></a>",
        "<Error><Code>NoSuchKey</Code>", "<Error><Code>\x1b[31m</Code></Error>"}) {
    EXPECT_EQ(error_code_of(bytes_of(xml)), "") << xml;
  }
}

}  // namespace
}  // namespace kvasir::store::remote
