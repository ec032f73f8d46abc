// Small GGUF files for tests, byte by byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kvasir::testing {

class GgufMaker {
 public:
  GgufMaker& text(std::string_view key, std::string_view value);
  GgufMaker& number(std::string_view key, uint32_t value);
  GgufMaker& real(std::string_view key, float value);
  GgufMaker& flag(std::string_view key, bool value);
  GgufMaker& numbers(std::string_view key, std::span<const int32_t> values);
  GgufMaker& reals(std::string_view key, std::span<const float> values);
  GgufMaker& flags(std::string_view key, const std::vector<bool>& values);
  GgufMaker& texts(std::string_view key, std::span<const std::string> values);
  // A value in any of the file's types, as its bytes.
  template <class T>
  GgufMaker& raw(std::string_view name, uint32_t type, T value) {
    key(name, type);
    keys_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  // type: as ggml numbers them. dims: fastest first. Its data follows that of the tensors before.
  GgufMaker& tensor(std::string_view name, std::span<const int64_t> dims, uint32_t type,
                    std::span<const std::byte> data = {});
  // The same with data of the right size, which depends on the name alone. Floats and scales in it
  // are finite.
  GgufMaker& filled_tensor(std::string_view name, std::span<const int64_t> dims, uint32_t type);
  // A tensor whose entry says so, whatever data there is.
  GgufMaker& tensor_at(std::string_view name, std::span<const int64_t> dims, uint32_t type,
                       uint64_t offset_bytes);
  // Of tensors and of the data; says so in the file.
  GgufMaker& alignment(uint32_t bytes);

  // The head alone while no tensor has data.
  std::vector<std::byte> file() const;

 private:
  void key(std::string_view name, uint32_t type);

  std::string keys_;
  std::string tensors_;
  std::string data_;
  size_t alignment_ = 32;
  uint64_t key_count_ = 0;
  uint64_t tensor_count_ = 0;
};

}  // namespace kvasir::testing
