// make_page writes one self-contained page for a browser. A person changes model, context,
// precision and memory on it, and sees bill and curves. The page carries the terms of every
// built-in model in every precision, and sums them as bytes_of does.
#pragma once

#include <optional>
#include <string>

#include "kvasir/plan.h"

namespace kvasir::plan {

struct PageModel {
  std::string argument;  // what the command was given for it
  CacheModel model;
};

// own: a model to show first, beside the other built-in ones.
std::string make_page(const std::optional<PageModel>& own);

}  // namespace kvasir::plan
