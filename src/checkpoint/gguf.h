// A GgufHead holds the head of a GGUF file: its keys and its list of tensors, nothing of their
// data.
//
// The head is little-endian: "GGUF", u32 version, u64 tensor count, u64 key count, the keys, the
// tensors. It comes from outside, so every count and length is checked against the bytes that are
// there before memory is taken. Pure functions on bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "kvasir/result.h"

namespace kvasir {

struct GgufTensor {
  std::string name;
  std::vector<int64_t> dims;          // fastest first
  uint32_t type = 0;                  // as the file says
  std::optional<int64_t> size_bytes;  // null: of a type that is not known
};

class GgufHead {
 public:
  // Lists of strings (a tokenizer's) and very long values are skipped: only their length is kept.
  struct Skipped {
    int64_t count = 0;
    bool operator==(const Skipped&) const = default;
  };
  using Value = std::variant<bool, int64_t, double, std::string, std::vector<int64_t>,
                             std::vector<double>, Skipped>;

  // `path` names the file in messages. Errors: not GGUF, an unknown version or type of value,
  // an absurd count, a head that goes on behind the end of the file.
  static Result<GgufHead> parse(std::span<const std::byte> file, std::string_view path);

  // Null when there is none of that name.
  const Value* find(std::string_view key) const;
  const std::vector<GgufTensor>& tensors() const { return tensors_; }
  // Those of another part of the same model.
  void add_tensors(const GgufHead& part);

 private:
  std::vector<std::pair<std::string, Value>> values_;  // in the order of the file
  std::vector<GgufTensor> tensors_;
};

}  // namespace kvasir
