#include "checkpoint/safetensors.h"

#include <gtest/gtest.h>

#include <cstring>

#include "checkpoint_maker.h"

namespace kvasir {
namespace {

std::vector<std::byte> file_of(std::string_view header, size_t data_bytes, uint64_t length) {
  std::vector<std::byte> file(8 + header.size() + data_bytes);
  std::memcpy(file.data(), &length, 8);
  std::memcpy(file.data() + 8, header.data(), header.size());
  return file;
}
std::vector<std::byte> file_of(std::string_view header, size_t data_bytes) {
  return file_of(header, data_bytes, header.size());
}

std::string message_of(const std::vector<std::byte>& file) {
  const auto result = parse_safetensors(file, "m.safetensors");
  return result.ok() ? "" : result.error().message();
}

void expect_parts(const std::string& message, const std::vector<std::string>& parts) {
  EXPECT_NE(message.find("m.safetensors"), std::string::npos) << message;
  for (const std::string& part : parts) {
    EXPECT_NE(message.find(part), std::string::npos) << part << " in: " << message;
  }
}

TEST(Safetensors, TensorsAreFound) {
  const std::vector<std::byte> file = file_of(
      R"({"__metadata__":{"format":"pt"},"b":{"dtype":"BF16","shape":[2,3],"data_offsets":[4,16]},)"
      R"("a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},)"
      R"("none":{"dtype":"I64","shape":[0,7],"data_offsets":[16,16]}}   )",
      16);
  const auto tensors = parse_safetensors(file, "m.safetensors");
  ASSERT_TRUE(tensors.ok()) << tensors.error().message();
  ASSERT_EQ(tensors->size(), 3u);
  const uint64_t data_begin = file.size() - 16;
  EXPECT_EQ((*tensors)[0].name, "b");
  EXPECT_EQ((*tensors)[0].dtype, Dtype::kBf16);
  EXPECT_EQ((*tensors)[0].shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ((*tensors)[0].offset_bytes, data_begin + 4);
  EXPECT_EQ((*tensors)[0].size_bytes, 12u);
  EXPECT_TRUE((*tensors)[1].shape.empty());
  EXPECT_EQ((*tensors)[2].size_bytes, 0u);
}

TEST(Safetensors, AFileWithoutTensorsIsNoError) {
  EXPECT_EQ(message_of(file_of("{}", 0)), "");
  EXPECT_EQ(message_of(file_of(R"({"__metadata__":{}})", 0)), "");
}

TEST(Safetensors, DtypesThatAreNeverReadMayBeThere) {
  for (const char* entry : {R"({"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}})",
                            R"({"a":{"dtype":"BOOL","shape":[8],"data_offsets":[0,8]}})",
                            R"({"a":{"dtype":"F4","shape":[4,4],"data_offsets":[0,8]}})",
                            R"({"a":{"dtype":"NEW","shape":[3],"data_offsets":[0,8]}})"}) {
    const auto tensors = parse_safetensors(file_of(entry, 8), "m.safetensors");
    ASSERT_TRUE(tensors.ok()) << tensors.error().message();
    EXPECT_EQ((*tensors)[0].dtype, Dtype::kOther);
  }
}

TEST(Safetensors, HostileLengthsAreRefused) {
  expect_parts(message_of({}), {"too short", "0 bytes"});
  expect_parts(message_of(std::vector<std::byte>(7)), {"too short", "7 bytes"});
  expect_parts(message_of(file_of("{}", 0, 3)), {"too long", "offset 0", "2 bytes", "3 bytes"});
  for (const uint64_t length : {uint64_t{1} << 63, ~uint64_t{0}, ~uint64_t{0} - 7}) {
    expect_parts(message_of(file_of("{}", 0, length)), {"too long", std::to_string(length)});
  }
  expect_parts(message_of(file_of("{}", 0, 0)), {"malformed JSON", "offset"});
}

TEST(Safetensors, MalformedHeadersAreRefused) {
  expect_parts(message_of(file_of("[]", 0)), {"header is malformed", "JSON object"});
  expect_parts(message_of(file_of("{\"a\":", 0)), {"malformed JSON"});
  expect_parts(message_of(file_of("{} x", 0)), {"malformed JSON"});
  expect_parts(message_of(file_of("{\"\xff\xfe\":1}", 0)), {"malformed JSON"});
  expect_parts(message_of(file_of(std::string(5000, '['), 0)), {"nested too deep"});
  expect_parts(message_of(file_of(R"({"__metadata__":[]})", 0)), {"__metadata__"});
  expect_parts(message_of(file_of(R"({"__metadata__":{"a":1}})", 0)), {"__metadata__.a"});
  expect_parts(message_of(file_of(R"({"a":{"dtype":"I8","shape":[1],"data_offsets":[0,1]},)"
                                  R"("a":{"dtype":"I8","shape":[1],"data_offsets":[1,2]}})",
                                  2)),
               {"occurs twice", "found a"});
}

struct BadEntry {
  const char* entry;
  std::vector<std::string> message;
};

// Each stands alone before 16 bytes of data.
TEST(Safetensors, BadEntriesAreRefusedByName) {
  const std::vector<BadEntry> cases = {
      {"1", {"m.safetensors: t", "no dtype"}},
      {R"({"shape":[16],"data_offsets":[0,16]})", {"m.safetensors: t", "no dtype"}},
      {R"({"dtype":8,"shape":[16],"data_offsets":[0,16]})", {"no dtype", "found 8"}},
      {R"({"dtype":"I8","data_offsets":[0,16]})", {": t", "no usable shape"}},
      {R"({"dtype":"I8","shape":[-16],"data_offsets":[0,16]})", {"shape", "[-16]"}},
      {R"({"dtype":"I8","shape":[16.0],"data_offsets":[0,16]})", {"shape", "[16.0]"}},
      {R"({"dtype":"I8","shape":[18446744073709551616],"data_offsets":[0,16]})", {"shape"}},
      {R"({"dtype":"I8","shape":[1,1,1,1,1,1,1,1,16],"data_offsets":[0,16]})", {"at most 8"}},
      {R"({"dtype":"I8","shape":[16]})", {": t", "data_offsets"}},
      {R"({"dtype":"I8","shape":[16],"data_offsets":[0]})", {"data_offsets", "[0]"}},
      {R"({"dtype":"I8","shape":[16],"data_offsets":[0,16,16]})", {"data_offsets"}},
      {R"({"dtype":"I8","shape":[16],"data_offsets":[-1,15]})", {"data_offsets", "[-1,15]"}},
      {R"({"dtype":"I8","shape":[16],"data_offsets":[16,0]})", {"data_offsets", "[16,0]"}},
      {R"({"dtype":"I8","shape":[17],"data_offsets":[0,17]})",
       {"file ends before the tensor", ": t", "17 bytes", "16 bytes"}},
      {R"({"dtype":"I8","shape":[16],"data_offsets":[9223372036854775800,9223372036854775807]})",
       {"file ends before the tensor", ": t"}},
      {R"({"dtype":"I8","shape":[16],"data_offsets":[0,18446744073709551615]})", {"data_offsets"}},
      {R"({"dtype":"F32","shape":[16],"data_offsets":[0,16]})",
       {"do not fit", ": t", "64 bytes for F32 [16]", "16 bytes"}},
      {R"({"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,16]})",
       {"do not fit", ": t", "64-bit"}},
      {R"({"dtype":"I8","shape":[4294967296,4294967296,16],"data_offsets":[0,16]})",
       {"do not fit", "64-bit"}},
      {R"({"dtype":"F4","shape":[3],"data_offsets":[0,1]})", {"do not fit"}},
      {R"({"dtype":"I8","shape":[8],"data_offsets":[8,16]})", {"hole", ": t"}},
      {R"({"dtype":"I8","shape":[8],"data_offsets":[0,8]})", {"goes on after the last"}},
  };
  for (const BadEntry& bad : cases) {
    SCOPED_TRACE(bad.entry);
    expect_parts(message_of(file_of("{\"t\":" + std::string(bad.entry) + "}", 16)), bad.message);
  }
}

TEST(Safetensors, OverlapsAreRefused) {
  const auto entry = [](const char* name, int begin, int end) {
    return "\"" + std::string(name) + R"(":{"dtype":"I8","shape":[)" + std::to_string(end - begin) +
           R"(],"data_offsets":[)" + std::to_string(begin) + "," + std::to_string(end) + "]}";
  };
  expect_parts(message_of(file_of("{" + entry("a", 0, 10) + "," + entry("b", 9, 16) + "}", 16)),
               {"overlaps", ": b"});
  expect_parts(message_of(file_of("{" + entry("b", 0, 16) + "," + entry("a", 0, 16) + "}", 16)),
               {"overlaps"});
  expect_parts(message_of(file_of("{" + entry("a", 0, 8) + "," + entry("b", 9, 16) + "}", 16)),
               {"hole", ": b"});
}

TEST(Safetensors, FilesOfTheMakerParse) {
  const testing::TinyModelSpec spec;
  const std::vector<testing::TinyTensor> tensors = testing::tiny_tensors(spec);
  const auto parsed = parse_safetensors(testing::safetensors_file(tensors), "m.safetensors");
  ASSERT_TRUE(parsed.ok()) << parsed.error().message();
  EXPECT_EQ(parsed->size(), tensors.size());
}

TEST(Safetensors, EveryTruncationIsAnError) {
  const std::vector<std::byte> file =
      file_of(R"({"a":{"dtype":"I8","shape":[8],"data_offsets":[0,8]}})", 8);
  for (size_t size = 0; size < file.size(); ++size) {
    EXPECT_NE(message_of({file.begin(), file.begin() + static_cast<ptrdiff_t>(size)}), "");
  }
  EXPECT_EQ(message_of(file), "");
}

}  // namespace
}  // namespace kvasir
