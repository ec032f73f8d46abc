#include "checkpoint/safetensors.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/foreign_content.h"
#include "base/json.h"
#include "base/little_endian.h"

namespace kvasir {
namespace {

constexpr uint64_t kLengthBytes = 8;
constexpr uint64_t kHeaderBytesMax = 100'000'000;  // the format's own limit
constexpr size_t kRankMax = 8;
constexpr int kHeaderDepthMax = 8;

struct DtypeRow {
  std::string_view name;
  Dtype dtype;
  int element_bits;
};

constexpr std::array kDtypes = std::to_array<DtypeRow>({
    {"F32", Dtype::kF32, 32},
    {"F16", Dtype::kF16, 16},
    {"BF16", Dtype::kBf16, 16},
    {"F8_E4M3", Dtype::kF8E4m3, 8},
    {"F8_E8M0", Dtype::kF8E8m0, 8},
    {"I8", Dtype::kI8, 8},
    {"U8", Dtype::kU8, 8},
    {"I32", Dtype::kI32, 32},
    {"I64", Dtype::kI64, 64},
    {"BOOL", Dtype::kOther, 8},
    {"F4", Dtype::kOther, 4},
    {"F6_E2M3", Dtype::kOther, 6},
    {"F6_E3M2", Dtype::kOther, 6},
    {"F8_E5M2", Dtype::kOther, 8},
    {"F8_E4M3FNUZ", Dtype::kOther, 8},
    {"F8_E5M2FNUZ", Dtype::kOther, 8},
    {"I16", Dtype::kOther, 16},
    {"U16", Dtype::kOther, 16},
    {"U32", Dtype::kOther, 32},
    {"U64", Dtype::kOther, 64},
    {"F64", Dtype::kOther, 64},
    {"C64", Dtype::kOther, 64},
});

std::string byte_count(uint64_t bytes) { return std::to_string(bytes) + " bytes"; }

// The bytes of the JSON header.
Result<std::span<const std::byte>> header_bytes(std::span<const std::byte> file,
                                                std::string_view path) {
  if (file.size() < kLengthBytes) {
    return Error{.kind = ErrorKind::kDamaged,
                 .what = "file is too short for a safetensors header",
                 .where = std::string(path),
                 .offset = 0,
                 .expected = "at least " + byte_count(kLengthBytes),
                 .found = byte_count(file.size())};
  }
  const auto length = load_little_endian<uint64_t>(file.data());
  const uint64_t room = file.size() - kLengthBytes;
  if (length > kHeaderBytesMax || length > room) {
    return Error{.kind = ErrorKind::kDamaged,
                 .what = "safetensors header is too long",
                 .where = std::string(path),
                 .offset = 0,
                 .expected = "at most " + byte_count(std::min(kHeaderBytesMax, room)),
                 .found = byte_count(length)};
  }
  return file.subspan(kLengthBytes, length);
}

// Reads the entries of one header; data_begin is where the file's tensor data starts.
class EntryReader {
 public:
  EntryReader(std::string_view path, uint64_t data_begin, uint64_t file_bytes)
      : path_(path), data_begin_(data_begin), file_bytes_(file_bytes) {}

  Result<TensorInfo> read(const std::string& name, const Json& entry) const {
    TensorInfo info;
    info.name = name;
    KVASIR_RETURN_IF_ERROR(read_dtype(entry.find("dtype"), info));
    KVASIR_RETURN_IF_ERROR(read_shape(entry.find("shape"), info));
    KVASIR_RETURN_IF_ERROR(read_offsets(entry.find("data_offsets"), info));
    KVASIR_RETURN_IF_ERROR(check_size(info));
    return info;
  }

  Status check_metadata(const Json& entry) const {
    const Json::Object* object = entry.as_object();
    if (object == nullptr) return bad("__metadata__", "metadata is malformed", "an object", entry);
    for (const auto& [name, value] : *object) {
      if (value.as_string() == nullptr) {
        return bad("__metadata__." + name, "metadata is malformed", "a string", value);
      }
    }
    return ok_status();
  }

 private:
  Error bad(const std::string& name, const char* what, std::string expected,
            const Json& found) const {
    return Error{.kind = ErrorKind::kDamaged,
                 .what = what,
                 .where = path_ + ": " + name,
                 .expected = std::move(expected),
                 .found = found.is_null() ? "nothing" : found.dump()};
  }

  Status read_dtype(const Json* field, TensorInfo& info) const {
    const std::string* text = field == nullptr ? nullptr : field->as_string();
    if (text == nullptr) {
      return bad(info.name, "tensor has no dtype", "a dtype name", field ? *field : Json());
    }
    info.dtype_name = *text;
    for (const DtypeRow& row : kDtypes) {
      if (row.name == *text) info.dtype = row.dtype;
    }
    return ok_status();
  }

  Status read_shape(const Json* field, TensorInfo& info) const {
    const Json::Array* dims = field == nullptr ? nullptr : field->as_array();
    const std::string expected = "at most " + std::to_string(kRankMax) + " sizes of 0 or more";
    if (dims == nullptr || dims->size() > kRankMax) {
      return bad(info.name, "tensor has no usable shape", expected, field ? *field : Json());
    }
    for (const Json& dim : *dims) {
      const int64_t* size = dim.as_integer();
      if (size == nullptr || *size < 0) {
        return bad(info.name, "tensor has no usable shape", expected, *field);
      }
      info.shape.push_back(*size);
    }
    return ok_status();
  }

  Status read_offsets(const Json* field, TensorInfo& info) const {
    const Json::Array* pair = field == nullptr ? nullptr : field->as_array();
    const int64_t* begin = pair && pair->size() == 2 ? (*pair)[0].as_integer() : nullptr;
    const int64_t* end = pair && pair->size() == 2 ? (*pair)[1].as_integer() : nullptr;
    if (begin == nullptr || end == nullptr || *begin < 0 || *begin > *end) {
      return bad(info.name, "tensor has no usable data_offsets", "[begin, end], 0 <= begin <= end",
                 field ? *field : Json());
    }
    const auto data_bytes = static_cast<int64_t>(file_bytes_ - data_begin_);
    if (*end > data_bytes) {
      return Error{.kind = ErrorKind::kDamaged,
                   .what = "file ends before the tensor does",
                   .where = path_ + ": " + info.name,
                   .offset = data_begin_ + static_cast<uint64_t>(*begin),
                   .expected = byte_count(static_cast<uint64_t>(*end)) + " of tensor data",
                   .found = byte_count(static_cast<uint64_t>(data_bytes))};
    }
    info.offset_bytes = data_begin_ + static_cast<uint64_t>(*begin);
    info.size_bytes = static_cast<uint64_t>(*end - *begin);
    return ok_status();
  }

  // The size of an unknown dtype cannot be checked; such a tensor is never read.
  Status check_size(const TensorInfo& info) const {
    const auto row = std::find_if(kDtypes.begin(), kDtypes.end(), [&](const DtypeRow& candidate) {
      return candidate.name == info.dtype_name;
    });
    if (row == kDtypes.end()) return ok_status();
    uint64_t bits = static_cast<uint64_t>(row->element_bits);
    bool overflows = false;
    for (const int64_t dim : info.shape) {
      overflows |= __builtin_mul_overflow(bits, static_cast<uint64_t>(dim), &bits);
    }
    if (!overflows && bits % 8 == 0 && bits / 8 == info.size_bytes) return ok_status();
    return Error{.kind = ErrorKind::kDamaged,
                 .what = "tensor's data_offsets do not fit its shape",
                 .where = path_ + ": " + info.name,
                 .offset = info.offset_bytes,
                 .expected = overflows ? "a shape whose size is a 64-bit number"
                                       : byte_count(bits / 8) + " for " + info.dtype_name + " " +
                                             shape_text(info.shape),
                 .found = overflows ? shape_text(info.shape) : byte_count(info.size_bytes)};
  }

  std::string path_;
  uint64_t data_begin_;
  uint64_t file_bytes_;
};

}  // namespace

Result<std::vector<TensorInfo>> parse_safetensors(std::span<const std::byte> file,
                                                  std::string_view path) {
  const std::string_view content(reinterpret_cast<const char*>(file.data()), file.size());
  KVASIR_RETURN_IF_ERROR(check_content(content, path, FileForm::kBinary));
  KVASIR_ASSIGN_OR_RETURN(const auto header, header_bytes(file, path));
  const std::string_view text(reinterpret_cast<const char*>(header.data()), header.size());
  auto json = Json::parse(
      text, path, JsonLimits{.text_bytes_max = kHeaderBytesMax, .depth_max = kHeaderDepthMax});
  if (!json) {
    Error error = std::move(json).error();
    if (error.offset) *error.offset += kLengthBytes;
    return error;
  }
  const Json::Object* object = json->as_object();
  if (object == nullptr) {
    return Error{.kind = ErrorKind::kDamaged,
                 .what = "safetensors header is malformed",
                 .where = std::string(path),
                 .offset = kLengthBytes,
                 .expected = "a JSON object"};
  }
  const uint64_t data_begin = kLengthBytes + header.size();
  const EntryReader reader(path, data_begin, file.size());
  std::vector<TensorInfo> tensors;
  tensors.reserve(object->size());
  for (const auto& [name, entry] : *object) {
    if (name == "__metadata__") {
      KVASIR_RETURN_IF_ERROR(reader.check_metadata(entry));
    } else {
      KVASIR_ASSIGN_OR_RETURN(TensorInfo tensor, reader.read(name, entry));
      tensors.push_back(std::move(tensor));
    }
  }
  KVASIR_RETURN_IF_ERROR(check_data_is_filled(tensors, data_begin, file.size(), 1, path));
  return tensors;
}

}  // namespace kvasir
