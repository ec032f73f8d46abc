#include "store/remote/s3/sig_v4.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace kvasir::store::remote {
namespace {

constexpr std::string_view kEmptyHash =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

std::string signature_of(const std::string& authorization) {
  return authorization.substr(authorization.rfind('=') + 1);
}

// Amazon publishes four requests to S3 with their signatures, all of one key and one moment
// ("Authenticating Requests: Using the Authorization Header").
class SigV4OfS3 : public ::testing::Test {
 protected:
  RequestToSign request(std::string_view method, std::string path) const {
    return {.method = method,
            .path = std::move(path),
            .headers = {{"host", "examplebucket.s3.amazonaws.com"},
                        {"x-amz-date", scope_.time},
                        {"x-amz-content-sha256", std::string(kEmptyHash)}},
            .payload_hash = std::string(kEmptyHash)};
  }
  std::string sign(const RequestToSign& request) const {
    return authorization(request, scope_, credentials_);
  }

  SigningScope scope_{"20130524T000000Z", "us-east-1", "s3"};
  S3Credentials credentials_{"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                             ""};
};

TEST_F(SigV4OfS3, GetOfARange) {
  RequestToSign get = request("GET", "/test.txt");
  get.headers.push_back({"range", "bytes=0-9"});
  EXPECT_EQ(sign(get),
            "AWS4-HMAC-SHA256 "
            "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
            "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
            "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST_F(SigV4OfS3, Put) {
  RequestToSign put = request("PUT", "/test$file.text");
  put.payload_hash = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072";
  put.headers = {{"host", "examplebucket.s3.amazonaws.com"},
                 {"date", "Fri, 24 May 2013 00:00:00 GMT"},
                 {"x-amz-date", scope_.time},
                 {"x-amz-storage-class", "REDUCED_REDUNDANCY"},
                 {"x-amz-content-sha256", put.payload_hash}};
  EXPECT_EQ(signature_of(sign(put)),
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

TEST_F(SigV4OfS3, QueryWithoutAValue) {
  RequestToSign get = request("GET", "/");
  get.query = {{"lifecycle", ""}};
  EXPECT_EQ(signature_of(sign(get)),
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
}

// Whatever order the query came in.
TEST_F(SigV4OfS3, ListOfObjects) {
  for (const bool is_reversed : {false, true}) {
    RequestToSign get = request("GET", "/");
    get.query = {{"max-keys", "2"}, {"prefix", "J"}};
    if (is_reversed) std::swap(get.query[0], get.query[1]);
    EXPECT_EQ(signature_of(sign(get)),
              "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
  }
}

// Of Amazon's test suite for signers of any service.
class SigV4OfTheSuite : public ::testing::Test {
 protected:
  std::string sign(std::vector<NamedValue> query) const {
    const RequestToSign get{
        .method = "GET",
        .path = "/",
        .query = std::move(query),
        .headers = {{"x-amz-date", scope_.time}, {"host", "example.amazonaws.com"}},
        .payload_hash = std::string(kEmptyHash)};
    return signature_of(authorization(get, scope_, credentials_));
  }

  SigningScope scope_{"20150830T123600Z", "us-east-1", "service"};
  S3Credentials credentials_{"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", ""};
};

TEST_F(SigV4OfTheSuite, GetVanilla) {
  EXPECT_EQ(sign({}), "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
}

TEST_F(SigV4OfTheSuite, GetVanillaQueryOrderKeyCase) {
  EXPECT_EQ(sign({{"Param2", "value2"}, {"Param1", "value1"}}),
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500");
}

TEST(SigV4, NamesAreEscapedOnce) {
  EXPECT_EQ(uri_encoded("a b/c+d~e%", true), "a%20b/c%2Bd~e%25");
  EXPECT_EQ(uri_encoded("a/b=", false), "a%2Fb%3D");
  EXPECT_EQ(uri_encoded("\xc3\xa4", true), "%C3%A4");
}

// Sorted by the escaped names, and by values where names are equal.
TEST(SigV4, QueryIsSorted) {
  EXPECT_EQ(canonical_query({{"prefix", "a/b"}, {"list-type", "2"}}), "list-type=2&prefix=a%2Fb");
  EXPECT_EQ(canonical_query({{"a", "2"}, {"a", "1"}, {"A", ""}}), "A=&a=1&a=2");
}

TEST(SigV4, BlanksInHeadersAreOne) {
  const RequestToSign request{.method = "GET",
                              .path = "/",
                              .headers = {{"host", "h"}, {"a", "  b   c "}},
                              .payload_hash = "x"};
  EXPECT_EQ(canonical_request(request), "GET\n/\n\na:b c\nhost:h\n\na;host\nx");
}

TEST(SigV4, TimeIsWrittenAsAmazonDoes) {
  EXPECT_EQ(amazon_time(0), "19700101T000000Z");
  EXPECT_EQ(amazon_time(1369353600), "20130524T000000Z");
  EXPECT_EQ(amazon_time(4107542399), "21000228T235959Z");
}

}  // namespace
}  // namespace kvasir::store::remote
