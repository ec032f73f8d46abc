// choice_of_texts puts texts side by side as a tree, so that ten thousand of them are followed as
// fast as ten.
#pragma once

#include <string>
#include <vector>

#include "grammar/builder.h"

namespace kvasir::grammar {

NodeId choice_of_texts(Builder& builder, std::vector<std::string> texts);

// A text and what follows it.
struct TextWay {
  std::string text;
  NodeId next = 0;
};
// REQUIRES: no two texts are the same.
NodeId choice_of_ways(Builder& builder, std::vector<TextWay> ways);

}  // namespace kvasir::grammar
