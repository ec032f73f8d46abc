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
  GgufMaker& flags(std::string_view key, const std::vector<bool>& values);
  GgufMaker& texts(std::string_view key, std::span<const std::string> values);
  // type: as ggml numbers them.
  GgufMaker& tensor(std::string_view name, std::span<const int64_t> dims, uint32_t type);

  std::vector<std::byte> file() const;

 private:
  void key(std::string_view name, uint32_t type);

  std::string keys_;
  std::string tensors_;
  uint64_t key_count_ = 0;
  uint64_t tensor_count_ = 0;
};

}  // namespace kvasir::testing
