// A GgufHead holds the head of a GGUF file: its keys and its list of tensors, nothing of their
// data.
//
// The head is little-endian: "GGUF", u32 version, u64 tensor count, u64 key count, the keys, the
// tensors. It comes from outside, so every count and length is checked against the bytes that are
// there before memory is taken. Whether the data is there and where the head says is another
// question (checkpoint/gguf_tensors.h). Pure functions on bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "kvasir/result.h"

namespace kvasir {

struct GgufTensor {
  std::string name;
  std::vector<int64_t> dims;          // fastest first
  uint32_t type = 0;                  // as the file says
  std::optional<int64_t> size_bytes;  // null: of a type that is not known
  uint64_t offset_bytes = 0;          // from where the data begins
};

class GgufHead {
 public:
  // `path` names the file in messages. Errors: not GGUF, an unknown version or type of value,
  // an absurd count, a head that goes on behind the end of the file.
  static Result<GgufHead> parse(std::span<const std::byte> file, std::string_view path);

  // The keys, in the order of the file, as one object. Integers of every width are integers, both
  // widths of real numbers are doubles, and a list is an array of one kind.
  const Json& keys() const { return keys_; }
  Json take_keys() { return std::move(keys_); }
  // Null when there is none of that name.
  const Json* find(std::string_view key) const { return keys_.find(key); }
  const std::vector<GgufTensor>& tensors() const { return tensors_; }
  // Adds those of another part of the same model.
  void add_tensors(const GgufHead& part);
  // Of the head itself; the data begins at the next multiple of the file's alignment.
  uint64_t size_bytes() const { return size_bytes_; }

 private:
  Json keys_;
  std::vector<GgufTensor> tensors_;
  uint64_t size_bytes_ = 0;
};

}  // namespace kvasir
