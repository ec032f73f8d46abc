#include "checkpoint/gguf.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <unordered_set>
#include <utility>

#include "base/foreign_content.h"
#include "base/little_endian.h"
#include "numeric/blocks/block_type.h"

namespace kvasir {
namespace {

constexpr std::string_view kMagic = "GGUF";
constexpr uint32_t kVersionMin = 2;  // 1 counts in 32 bits
constexpr uint32_t kVersionMax = 3;
constexpr uint64_t kKeysMax = uint64_t{1} << 12;
constexpr uint64_t kTensorsMax = uint64_t{1} << 20;
constexpr uint64_t kRankMax = 4;
constexpr uint64_t kNameBytesMax = 256;
// Of all keys together. A vocabulary has some 300,000 tokens, twice as many merges, and two numbers
// for each token.
constexpr uint64_t kItemsMax = uint64_t{1} << 22;
constexpr uint64_t kTextBytesMax = uint64_t{256} << 20;

enum ValueType : uint32_t {
  kU8 = 0,
  kI8 = 1,
  kU16 = 2,
  kI16 = 3,
  kU32 = 4,
  kI32 = 5,
  kF32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kU64 = 10,
  kI64 = 11,
  kF64 = 12,
};

// Reads on from the start of the file; the first failure stays.
class Reader {
 public:
  Reader(std::span<const std::byte> file, std::string_view path) : file_(file), path_(path) {}

  const std::optional<Error>& error() const { return error_; }
  bool ok() const { return !error_; }
  uint64_t at() const { return at_; }
  uint64_t rest_bytes() const { return file_.size() - at_; }

  void fail(std::string what, std::string expected, std::string found) {
    if (error_) return;
    error_ = Error{.kind = ErrorKind::kDamaged,
                   .what = std::move(what),
                   .where = std::string(path_),
                   .offset = at_,
                   .expected = std::move(expected),
                   .found = std::move(found)};
  }

  // Null: the file ends before.
  const std::byte* take(uint64_t bytes) {
    if (!ok()) return nullptr;
    if (bytes > rest_bytes()) {
      fail("file is cut short", fmt::format("{} bytes more", bytes),
           fmt::format("{} bytes", rest_bytes()));
      return nullptr;
    }
    const std::byte* data = file_.data() + at_;
    at_ += bytes;
    return data;
  }

  template <class T>
  T number() {
    const std::byte* data = take(sizeof(T));
    return data == nullptr ? T{} : load_little_endian<T>(data);
  }

  uint64_t count(std::string_view what, uint64_t max) {
    const auto value = number<uint64_t>();
    if (ok() && value <= max) return value;
    fail(fmt::format("absurd {}", what), fmt::format("at most {}", max), std::to_string(value));
    return 0;
  }

  std::string text(uint64_t bytes_max) {
    const uint64_t bytes = count("length of a string", bytes_max);
    const std::byte* data = take(bytes);
    return data == nullptr ? std::string()
                           : std::string(reinterpret_cast<const char*>(data), bytes);
  }

  // A text that is kept, and how many items of a list are: what all keys hold together is bounded.
  std::string kept_text() {
    std::string text = this->text(text_bytes_left_);
    text_bytes_left_ -= text.size();
    return text;
  }
  uint64_t kept_items(uint64_t item_bytes_min) {
    const uint64_t items = count("length of a list", items_left_);
    if (ok() && items > rest_bytes() / item_bytes_min) {
      fail("file is cut short", fmt::format("a list of {} items", items),
           fmt::format("{} bytes", rest_bytes()));
    }
    if (!ok()) return 0;
    items_left_ -= items;
    return items;
  }

 private:
  std::span<const std::byte> file_;
  std::string_view path_;
  uint64_t at_ = 0;
  uint64_t items_left_ = kItemsMax;
  uint64_t text_bytes_left_ = kTextBytesMax;
  std::optional<Error> error_;
};

// The fewest bytes that a value takes; null: of a type that is not known, or of lists.
std::optional<uint64_t> value_bytes_min(uint32_t type) {
  switch (type) {
    case kU8:
    case kI8:
    case kBool:
      return 1;
    case kU16:
    case kI16:
      return 2;
    case kU32:
    case kI32:
    case kF32:
      return 4;
    case kU64:
    case kI64:
    case kF64:
    case kString:  // its length
      return 8;
    default:
      return std::nullopt;
  }
}

// REQUIRES: value_bytes_min(type). An integer beyond int64 becomes negative, which is as absurd.
Json read_single(Reader& reader, uint32_t type) {
  switch (type) {
    case kU8:
      return int64_t{reader.number<uint8_t>()};
    case kI8:
      return int64_t{reader.number<int8_t>()};
    case kBool:
      return reader.number<uint8_t>() != 0;
    case kU16:
      return int64_t{reader.number<uint16_t>()};
    case kI16:
      return int64_t{reader.number<int16_t>()};
    case kU32:
      return int64_t{reader.number<uint32_t>()};
    case kI32:
      return int64_t{reader.number<int32_t>()};
    case kF32:
      return static_cast<double>(reader.number<float>());
    case kF64:
      return reader.number<double>();
    case kString:
      return reader.kept_text();
    default:
      return reader.number<int64_t>();
  }
}

Json read_value(Reader& reader) {
  auto type = reader.number<uint32_t>();
  const bool is_list = type == kArray;
  if (is_list) type = reader.number<uint32_t>();
  const std::optional<uint64_t> bytes_min = value_bytes_min(type);
  if (!bytes_min) {
    reader.fail("unusable type of value", "a number, a text, or a list of one of them",
                std::to_string(type));
    return Json();
  }
  if (!is_list) return read_single(reader, type);
  const uint64_t count = reader.kept_items(*bytes_min);
  Json::Array list;
  list.reserve(count);
  for (uint64_t i = 0; i < count && reader.ok(); ++i) list.push_back(read_single(reader, type));
  return list;
}

// dims: fastest first. Null: of a type that is not known, or an absurd shape, which the reader
// keeps.
std::optional<int64_t> tensor_bytes(Reader& reader, const std::string& name,
                                    std::span<const int64_t> dims, uint32_t type_id) {
  const BlockType* type = block_type_of(type_id);
  const int64_t block_items = type == nullptr ? 1 : type->block_items;
  const int64_t row_items = dims.empty() ? 1 : dims.front();
  int64_t items = 1;
  bool is_sound = row_items % block_items == 0;
  for (const int64_t dim : dims) {
    // None of zero items has other sizes whose product overflows.
    is_sound =
        is_sound && dim >= 0 && !__builtin_mul_overflow(items, std::max<int64_t>(dim, 1), &items);
  }
  if (std::find(dims.begin(), dims.end(), 0) != dims.end()) items = 0;
  int64_t bytes = 0;
  if (is_sound && type != nullptr) {
    is_sound = !__builtin_mul_overflow(items / block_items, type->block_bytes, &bytes);
  }
  if (!is_sound) {
    reader.fail(fmt::format("absurd shape of tensor {}", name),
                fmt::format("whole blocks of {} that fit into memory", block_items),
                fmt::format("{}", fmt::join(dims, " x ")));
  }
  return is_sound && type != nullptr ? std::optional(bytes) : std::nullopt;
}

GgufTensor read_tensor(Reader& reader) {
  GgufTensor tensor{.name = reader.text(kNameBytesMax)};
  const auto rank = reader.number<uint32_t>();
  if (rank > kRankMax) {
    reader.fail("absurd rank of a tensor", fmt::format("at most {}", kRankMax),
                std::to_string(rank));
  }
  std::array<int64_t, kRankMax> dims{};
  for (uint32_t i = 0; i < rank && reader.ok(); ++i) dims[i] = reader.number<int64_t>();
  const auto type = reader.number<uint32_t>();
  tensor.type = type;
  tensor.offset_bytes = reader.number<uint64_t>();
  if (reader.ok()) {
    tensor.dims.assign(dims.begin(), dims.begin() + rank);
    tensor.size_bytes = tensor_bytes(reader, tensor.name, tensor.dims, type);
  }
  return tensor;
}

}  // namespace

Result<GgufHead> GgufHead::parse(std::span<const std::byte> file, std::string_view path) {
  Reader reader(file, path);
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  KVASIR_RETURN_IF_ERROR(check_content(text, path, FileForm::kBinary));
  if (file.size() < kMagic.size() || std::memcmp(file.data(), kMagic.data(), kMagic.size()) != 0) {
    return Error{.kind = ErrorKind::kDamaged,
                 .what = "not a GGUF file",
                 .where = std::string(path),
                 .offset = 0,
                 .expected = std::string(kMagic),
                 .found = fmt::format("{} bytes of something else", file.size())};
  }
  reader.take(kMagic.size());
  const auto version = reader.number<uint32_t>();
  if (version < kVersionMin || version > kVersionMax) {
    reader.fail("unknown version of GGUF", fmt::format("{} to {}", kVersionMin, kVersionMax),
                std::to_string(version));
  }
  const uint64_t tensor_count = reader.count("number of tensors", kTensorsMax);
  const uint64_t key_count = reader.count("number of keys", kKeysMax);
  GgufHead head;
  Json::Object keys;
  std::unordered_set<std::string> names;
  for (uint64_t i = 0; i < key_count && reader.ok(); ++i) {
    std::string key = reader.text(kNameBytesMax);
    Json value = read_value(reader);
    if (!names.insert(key).second) reader.fail("a key occurs twice", "", key);
    keys.emplace_back(std::move(key), std::move(value));
  }
  for (uint64_t i = 0; i < tensor_count && reader.ok(); ++i) {
    head.tensors_.push_back(read_tensor(reader));
  }
  if (reader.error()) return *reader.error();
  head.keys_ = Json(std::move(keys));
  head.size_bytes_ = reader.at();
  return head;
}

void GgufHead::add_tensors(const GgufHead& part) {
  tensors_.insert(tensors_.end(), part.tensors_.begin(), part.tensors_.end());
}

}  // namespace kvasir
