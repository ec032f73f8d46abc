// A TokenTrie holds the bytes of a vocabulary's tokens as a tree, in the order in which a walk
// meets them. Immutable once made; any number of threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "grammar/automaton.h"

namespace kvasir::grammar {

class TokenTrie {
 public:
  struct Node {
    uint8_t byte = 0;
    uint16_t depth = 0;        // 0: the first byte of a token
    int32_t end = 0;           // behind the nodes below this one
    int32_t first_token = 0;   // in tokens(): those that end here; then those below
    int32_t bytes_below = 0;   // in byte_sets(): all bytes below
    uint16_t depth_below = 0;  // the greatest depth of a node below, or its own
  };
  // Longer tokens are left out: no text needs one.
  static constexpr size_t kTokenBytesMax = 1024;

  // `tokens`: of each id the bytes; empty ones are left out.
  explicit TokenTrie(const std::vector<std::string_view>& tokens);

  // In order; each is followed by those below it.
  const std::vector<Node>& nodes() const { return nodes_; }
  const std::vector<int32_t>& tokens() const { return tokens_; }
  const ByteSet& bytes_below(const Node& node) const {
    return byte_sets_[static_cast<size_t>(node.bytes_below)];
  }
  // Tokens that end at node `index`, and with `below` also those below it: [first, last).
  int32_t last_token(size_t index, bool below) const;
  int64_t vocab_size() const { return vocab_size_; }
  int depth_max() const { return depth_max_; }

 private:
  void close_nodes(std::vector<int32_t>& open, size_t depth);
  void find_bytes_below();

  int64_t vocab_size_;
  int depth_max_ = 0;
  std::vector<Node> nodes_;
  std::vector<int32_t> tokens_;
  std::vector<ByteSet> byte_sets_;
};

}  // namespace kvasir::grammar
