// A TokenTable holds the bytes of every token, by id. It is an immutable value; any number of
// threads may use it. Views point into it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kvasir::text {

class TokenTable {
 public:
  TokenTable() = default;
  // By id; null where there is no token.
  explicit TokenTable(const std::vector<std::optional<std::string>>& bytes_of_id);

  // The highest id + 1.
  int32_t size() const { return static_cast<int32_t>(offsets_.size()) - 1; }
  // Empty for ids without a token.
  std::string_view bytes(int32_t id) const;

  // Lets find() know these. Of equal bytes the first counts.
  void index(const std::vector<int32_t>& ids);
  // The token of exactly these bytes.
  std::optional<int32_t> find(std::string_view bytes) const;

 private:
  // Where the bytes are, or belong.
  size_t slot_of(std::string_view bytes) const;

  std::string bytes_;                    // of all tokens, one after another
  std::vector<uint32_t> offsets_ = {0};  // token id: bytes_[offsets_[id], offsets_[id + 1])
  std::vector<int32_t> slots_;           // open addressing; the size is a power of two; -1: free
};

}  // namespace kvasir::text
