#include "grammar/token_trie.h"

#include <algorithm>
#include <unordered_map>

namespace kvasir::grammar {
namespace {

size_t common_bytes(std::string_view a, std::string_view b) {
  const size_t size = std::min(a.size(), b.size());
  return static_cast<size_t>(
      std::mismatch(a.begin(), a.begin() + static_cast<ptrdiff_t>(size), b.begin()).first -
      a.begin());
}

}  // namespace

TokenTrie::TokenTrie(const std::vector<std::string_view>& tokens)
    : vocab_size_(std::ssize(tokens)) {
  for (size_t id = 0; id < tokens.size(); ++id) {
    if (tokens[id].empty() || tokens[id].size() > kTokenBytesMax) continue;
    tokens_.push_back(static_cast<int32_t>(id));
  }
  const auto bytes_of = [&](int32_t id) { return tokens[static_cast<size_t>(id)]; };
  std::stable_sort(tokens_.begin(), tokens_.end(),
                   [&](int32_t a, int32_t b) { return bytes_of(a) < bytes_of(b); });
  std::vector<int32_t> open;  // the nodes of the token before
  std::string_view before;
  for (size_t i = 0; i < tokens_.size(); ++i) {
    const std::string_view bytes = bytes_of(tokens_[i]);
    const size_t shared = common_bytes(before, bytes);
    close_nodes(open, shared);
    for (size_t depth = shared; depth < bytes.size(); ++depth) {
      open.push_back(static_cast<int32_t>(nodes_.size()));
      nodes_.push_back({.byte = static_cast<uint8_t>(bytes[depth]),
                        .depth = static_cast<uint16_t>(depth),
                        .first_token = static_cast<int32_t>(i)});
    }
    depth_max_ = std::max(depth_max_, static_cast<int>(bytes.size()));
    before = bytes;
  }
  close_nodes(open, 0);
  find_bytes_below();
}

void TokenTrie::close_nodes(std::vector<int32_t>& open, size_t depth) {
  for (; open.size() > depth; open.pop_back()) {
    nodes_[static_cast<size_t>(open.back())].end = static_cast<int32_t>(nodes_.size());
  }
}

// From the last node on, so that what lies below a node is known before it.
void TokenTrie::find_bytes_below() {
  std::unordered_map<ByteSet, int32_t> known;
  std::vector<ByteSet> below(nodes_.size());
  for (size_t i = nodes_.size(); i-- > 0;) {
    Node& node = nodes_[i];
    node.depth_below = node.depth;
    for (auto child = i + 1; child < static_cast<size_t>(node.end);) {
      below[i] |= below[child];
      below[i].set(nodes_[child].byte);
      node.depth_below = std::max(node.depth_below, nodes_[child].depth_below);
      child = static_cast<size_t>(nodes_[child].end);
    }
    const auto [at, is_new] = known.try_emplace(below[i], static_cast<int32_t>(byte_sets_.size()));
    if (is_new) byte_sets_.push_back(below[i]);
    node.bytes_below = at->second;
  }
}

int32_t TokenTrie::last_token(size_t index, bool below) const {
  // The next node begins with its own first token.
  const size_t next = below ? static_cast<size_t>(nodes_[index].end) : index + 1;
  return next < nodes_.size() ? nodes_[next].first_token : static_cast<int32_t>(tokens_.size());
}

}  // namespace kvasir::grammar
