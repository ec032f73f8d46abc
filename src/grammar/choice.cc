#include "grammar/choice.h"

#include <algorithm>
#include <span>
#include <string_view>
#include <utility>

namespace kvasir::grammar {
namespace {

// Texts that grow out of each other make a tree as deep as they are many.
constexpr int kDepthMax = 500;

// Of texts in order, each once, which have their first `begin` bytes in common.
NodeId tree(Builder& builder, std::span<const std::string> texts, size_t begin, int depth) {
  const auto rest = [&](const std::string& text) { return std::string_view(text).substr(begin); };
  if (texts.size() == 1) return builder.text(rest(texts[0]));
  std::vector<NodeId> ways;
  if (depth > kDepthMax) {
    for (const std::string& text : texts) ways.push_back(builder.text(rest(text)));
    return builder.choice(std::move(ways));
  }
  size_t first = 0;
  if (texts[0].size() == begin) {
    ways.push_back(builder.empty());
    first = 1;
  }
  while (first < texts.size()) {
    size_t last = first + 1;
    while (last < texts.size() && texts[last][begin] == texts[first][begin]) ++last;
    // Up to where the outermost two part, all are alike.
    const std::string& low = texts[first];
    const std::string& high = texts[last - 1];
    size_t end = begin;
    while (end < low.size() && end < high.size() && low[end] == high[end]) ++end;
    const NodeId below = tree(builder, texts.subspan(first, last - first), end, depth + 1);
    const NodeId common = builder.text(std::string_view(low).substr(begin, end - begin));
    ways.push_back(builder.sequence({common, below}));
    first = last;
  }
  return builder.choice(std::move(ways));
}

}  // namespace

NodeId choice_of_texts(Builder& builder, std::vector<std::string> texts) {
  std::sort(texts.begin(), texts.end());
  texts.erase(std::unique(texts.begin(), texts.end()), texts.end());
  if (texts.empty()) return builder.never();
  return tree(builder, texts, 0, 0);
}

}  // namespace kvasir::grammar
