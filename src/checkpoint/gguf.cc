#include "checkpoint/gguf.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "base/foreign_content.h"
#include "base/little_endian.h"

namespace kvasir {
namespace {

constexpr std::string_view kMagic = "GGUF";
constexpr uint32_t kVersionMin = 2;  // 1 counts in 32 bits
constexpr uint32_t kVersionMax = 3;
constexpr uint64_t kKeysMax = uint64_t{1} << 12;
constexpr uint64_t kTensorsMax = uint64_t{1} << 20;
constexpr uint64_t kRankMax = 4;
constexpr uint64_t kNameBytesMax = 256;
constexpr uint64_t kTextBytesMax = uint64_t{1} << 16;  // of values that are kept
constexpr uint64_t kListMax = uint64_t{1} << 16;       // of numbers that are kept

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

struct TensorType {
  uint32_t id;
  int64_t block_items;
  int64_t block_bytes;
};
// As ggml numbers them.
constexpr std::array kTensorTypes = std::to_array<TensorType>({
    {0, 1, 4},                                                       // F32
    {1, 1, 2},                                                       // F16
    {2, 32, 18},                                                     // Q4_0
    {3, 32, 20},                                                     // Q4_1
    {6, 32, 22},                                                     // Q5_0
    {7, 32, 24},                                                     // Q5_1
    {8, 32, 34},                                                     // Q8_0
    {9, 32, 36},                                                     // Q8_1
    {10, 256, 84},                                                   // Q2_K
    {11, 256, 110}, {12, 256, 144}, {13, 256, 176}, {14, 256, 210},  // Q6_K
    {15, 256, 292},                                                  // Q8_K
    {16, 256, 66},                                                   // IQ2_XXS
    {17, 256, 74},  {18, 256, 98},                                   // IQ3_XXS
    {19, 256, 50},                                                   // IQ1_S
    {20, 32, 18},                                                    // IQ4_NL
    {21, 256, 110},                                                  // IQ3_S
    {22, 256, 82},                                                   // IQ2_S
    {23, 256, 136},                                                  // IQ4_XS
    {24, 1, 1},                                                      // I8
    {25, 1, 2},     {26, 1, 4},     {27, 1, 8},     {28, 1, 8},      // F64
    {29, 256, 56},                                                   // IQ1_M
    {30, 1, 2},                                                      // BF16
    {34, 256, 54},                                                   // TQ1_0
    {35, 256, 66},                                                   // TQ2_0
    {39, 32, 17},                                                    // MXFP4
    {40, 64, 36},                                                    // NVFP4
});

// Reads on from the start of the file; the first failure stays.
class Reader {
 public:
  Reader(std::span<const std::byte> file, std::string_view path) : file_(file), path_(path) {}

  const std::optional<Error>& error() const { return error_; }
  bool ok() const { return !error_; }
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

  void skip_text() { take(number<uint64_t>()); }

 private:
  std::span<const std::byte> file_;
  std::string_view path_;
  uint64_t at_ = 0;
  std::optional<Error> error_;
};

bool is_real(uint32_t type) { return type == kF32 || type == kF64; }

double read_real(Reader& reader, uint32_t type) {
  return type == kF32 ? static_cast<double>(reader.number<float>()) : reader.number<double>();
}

// Of any width and sign; beyond int64 is as good as absurd.
int64_t read_integer(Reader& reader, uint32_t type) {
  switch (type) {
    case kU8:
      return reader.number<uint8_t>();
    case kI8:
      return reader.number<int8_t>();
    case kBool:
      return reader.number<uint8_t>() != 0 ? 1 : 0;
    case kU16:
      return reader.number<uint16_t>();
    case kI16:
      return reader.number<int16_t>();
    case kU32:
      return reader.number<uint32_t>();
    case kI32:
      return reader.number<int32_t>();
    case kU64:
    case kI64:
      return reader.number<int64_t>();
    default:
      reader.fail("unusable type of value", "a number, a text, or a list of one of them",
                  std::to_string(type));
      return 0;
  }
}

template <class T, class Read>
std::vector<T> read_list(Reader& reader, uint64_t count, const Read& read) {
  std::vector<T> list;
  list.reserve(std::min<uint64_t>(count, reader.rest_bytes()));
  for (uint64_t i = 0; i < count && reader.ok(); ++i) list.push_back(read());
  return list;
}

GgufHead::Value read_array(Reader& reader) {
  const auto type = reader.number<uint32_t>();
  // An item takes a byte at the least.
  const uint64_t count = reader.count("length of a list", reader.rest_bytes());
  if (type == kString) {
    for (uint64_t i = 0; i < count && reader.ok(); ++i) reader.skip_text();
    return GgufHead::Skipped{static_cast<int64_t>(count)};
  }
  if (count > kListMax) {
    for (uint64_t i = 0; i < count && reader.ok(); ++i) {
      if (is_real(type)) {
        read_real(reader, type);
      } else {
        read_integer(reader, type);
      }
    }
    return GgufHead::Skipped{static_cast<int64_t>(count)};
  }
  if (is_real(type)) {
    return read_list<double>(reader, count, [&] { return read_real(reader, type); });
  }
  return read_list<int64_t>(reader, count, [&] { return read_integer(reader, type); });
}

GgufHead::Value read_text(Reader& reader) {
  const uint64_t bytes = reader.count("length of a string", reader.rest_bytes());
  const std::byte* data = reader.take(bytes);
  if (data == nullptr || bytes > kTextBytesMax) {
    return GgufHead::Skipped{static_cast<int64_t>(bytes)};
  }
  return std::string(reinterpret_cast<const char*>(data), bytes);
}

GgufHead::Value read_value(Reader& reader) {
  const auto type = reader.number<uint32_t>();
  if (type == kString) return read_text(reader);
  if (type == kArray) return read_array(reader);
  if (is_real(type)) return read_real(reader, type);
  if (type == kBool) return read_integer(reader, type) != 0;
  return read_integer(reader, type);
}

// dims: fastest first. type: as ggml numbers them. Null: of a type that is not known.
std::optional<int64_t> tensor_bytes(Reader& reader, const std::string& name,
                                    std::span<const int64_t> dims, uint32_t type_id) {
  const auto* type = std::find_if(kTensorTypes.begin(), kTensorTypes.end(),
                                  [&](const TensorType& row) { return row.id == type_id; });
  if (type == kTensorTypes.end()) return std::nullopt;
  int64_t bytes = type->block_bytes;
  for (size_t i = 0; i < dims.size(); ++i) {
    const int64_t items = dims[i];
    const bool is_whole = i > 0 || items % type->block_items == 0;
    const int64_t count = i > 0 ? items : items / type->block_items;
    if (items >= 0 && is_whole && !__builtin_mul_overflow(bytes, count, &bytes)) continue;
    reader.fail(fmt::format("absurd shape of tensor {}", name),
                fmt::format("whole blocks of {} that fit into memory", type->block_items),
                std::to_string(items));
    return std::nullopt;
  }
  return bytes;
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
  reader.number<uint64_t>();  // where its data lies
  if (reader.ok()) {
    tensor.size_bytes = tensor_bytes(reader, tensor.name, std::span(dims).first(rank), type);
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
  for (uint64_t i = 0; i < key_count && reader.ok(); ++i) {
    std::string key = reader.text(kNameBytesMax);
    Value value = read_value(reader);
    if (head.find(key) != nullptr) reader.fail("a key occurs twice", "", key);
    head.values_.emplace_back(std::move(key), std::move(value));
  }
  for (uint64_t i = 0; i < tensor_count && reader.ok(); ++i) {
    head.tensors_.push_back(read_tensor(reader));
  }
  if (reader.error()) return *reader.error();
  return head;
}

const GgufHead::Value* GgufHead::find(std::string_view key) const {
  const auto found = std::find_if(values_.begin(), values_.end(),
                                  [&](const auto& entry) { return entry.first == key; });
  return found == values_.end() ? nullptr : &found->second;
}

void GgufHead::add_tensors(const GgufHead& part) {
  tensors_.insert(tensors_.end(), part.tensors_.begin(), part.tensors_.end());
}

}  // namespace kvasir
