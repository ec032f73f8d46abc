#include "gguf_maker.h"

#include <cstring>

#include "base/check.h"
#include "base/random.h"
#include "numeric/blocks/block_type.h"

namespace kvasir::testing {
namespace {

enum : uint32_t { kU32 = 4, kI32 = 5, kF32 = 6, kBool = 7, kString = 8, kArray = 9 };

template <class T>
void put(std::string& out, T value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof value);
}

void put_text(std::string& out, std::string_view text) {
  put<uint64_t>(out, text.size());
  out += text;
}

void pad(std::string& out, size_t alignment) {
  out.resize((out.size() + alignment - 1) / alignment * alignment);
}

}  // namespace

void GgufMaker::key(std::string_view name, uint32_t type) {
  put_text(keys_, name);
  put(keys_, type);
  ++key_count_;
}

GgufMaker& GgufMaker::text(std::string_view name, std::string_view value) {
  key(name, kString);
  put_text(keys_, value);
  return *this;
}

GgufMaker& GgufMaker::number(std::string_view name, uint32_t value) {
  key(name, kU32);
  put(keys_, value);
  return *this;
}

GgufMaker& GgufMaker::real(std::string_view name, float value) {
  key(name, kF32);
  put(keys_, value);
  return *this;
}

GgufMaker& GgufMaker::flag(std::string_view name, bool value) {
  key(name, kBool);
  put<uint8_t>(keys_, value ? 1 : 0);
  return *this;
}

GgufMaker& GgufMaker::numbers(std::string_view name, std::span<const int32_t> values) {
  key(name, kArray);
  put<uint32_t>(keys_, kI32);
  put<uint64_t>(keys_, values.size());
  for (const int32_t value : values) put(keys_, value);
  return *this;
}

GgufMaker& GgufMaker::reals(std::string_view name, std::span<const float> values) {
  key(name, kArray);
  put<uint32_t>(keys_, kF32);
  put<uint64_t>(keys_, values.size());
  for (const float value : values) put(keys_, value);
  return *this;
}

GgufMaker& GgufMaker::flags(std::string_view name, const std::vector<bool>& values) {
  key(name, kArray);
  put<uint32_t>(keys_, kBool);
  put<uint64_t>(keys_, values.size());
  for (const bool value : values) put<uint8_t>(keys_, value ? 1 : 0);
  return *this;
}

GgufMaker& GgufMaker::texts(std::string_view name, std::span<const std::string> values) {
  key(name, kArray);
  put<uint32_t>(keys_, kString);
  put<uint64_t>(keys_, values.size());
  for (const std::string& value : values) put_text(keys_, value);
  return *this;
}

GgufMaker& GgufMaker::tensor_at(std::string_view name, std::span<const int64_t> dims, uint32_t type,
                                uint64_t offset_bytes) {
  put_text(tensors_, name);
  put(tensors_, static_cast<uint32_t>(dims.size()));
  for (const int64_t dim : dims) put(tensors_, dim);
  put(tensors_, type);
  put(tensors_, offset_bytes);
  ++tensor_count_;
  return *this;
}

GgufMaker& GgufMaker::tensor(std::string_view name, std::span<const int64_t> dims, uint32_t type,
                             std::span<const std::byte> data) {
  tensor_at(name, dims, type, data_.size());
  data_.append(reinterpret_cast<const char*>(data.data()), data.size());
  pad(data_, alignment_);
  return *this;
}

GgufMaker& GgufMaker::filled_tensor(std::string_view name, std::span<const int64_t> dims,
                                    uint32_t type) {
  const BlockType* row = block_type_of(type);
  KVASIR_CHECK(row != nullptr, "a type that is known");
  int64_t items = 1;
  for (const int64_t dim : dims) items *= dim;
  uint64_t seed = name.size();
  for (const char c : name) seed = mix_bits(seed + static_cast<unsigned char>(c));
  Random random(seed);
  std::vector<std::byte> data(static_cast<size_t>(items / row->block_items * row->block_bytes));
  for (std::byte& byte : data) byte = static_cast<std::byte>(random.bits() & 0x3f);
  return tensor(name, dims, type, data);
}

GgufMaker& GgufMaker::alignment(uint32_t bytes) {
  alignment_ = bytes;
  return number("general.alignment", bytes);
}

std::vector<std::byte> GgufMaker::file() const {
  std::string all = "GGUF";
  put<uint32_t>(all, 3);
  put(all, tensor_count_);
  put(all, key_count_);
  all += keys_ + tensors_;
  if (!data_.empty()) pad(all, alignment_);
  all += data_;
  const auto* bytes = reinterpret_cast<const std::byte*>(all.data());
  return {bytes, bytes + all.size()};
}

}  // namespace kvasir::testing
