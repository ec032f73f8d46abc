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
NodeId tree(Builder& builder, std::span<const TextWay> texts, size_t begin, int depth) {
  const auto rest = [&](const TextWay& way) {
    const NodeId text = builder.text(std::string_view(way.text).substr(begin));
    return way.next == builder.empty() ? text : builder.sequence({text, way.next});
  };
  if (texts.size() == 1) return rest(texts[0]);
  std::vector<NodeId> ways;
  if (depth > kDepthMax) {
    for (const TextWay& way : texts) ways.push_back(rest(way));
    return builder.choice(std::move(ways));
  }
  size_t first = 0;
  if (texts[0].text.size() == begin) {
    ways.push_back(texts[0].next);
    first = 1;
  }
  while (first < texts.size()) {
    size_t last = first + 1;
    while (last < texts.size() && texts[last].text[begin] == texts[first].text[begin]) ++last;
    // Up to where the outermost two part, all are alike.
    const std::string& low = texts[first].text;
    const std::string& high = texts[last - 1].text;
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
  std::vector<TextWay> ways;
  ways.reserve(texts.size());
  for (std::string& text : texts) ways.push_back({std::move(text), builder.empty()});
  return choice_of_ways(builder, std::move(ways));
}

NodeId choice_of_ways(Builder& builder, std::vector<TextWay> ways) {
  if (ways.empty()) return builder.never();
  std::ranges::sort(ways, {}, &TextWay::text);
  return tree(builder, ways, 0, 0);
}

}  // namespace kvasir::grammar
