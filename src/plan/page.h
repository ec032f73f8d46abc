// make_page writes one self-contained page for a browser. A person changes model, context,
// precision and memory on it, and sees bill and curves. The page carries the terms of every
// built-in model in every precision, and sums them as bytes_of does.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kvasir/plan.h"

namespace kvasir::plan {

// A PageStart is the command's input, with which the page opens. Texts stand in its fields as they
// were written; empty: not given.
struct PageStart {
  std::string argument;             // the one that names the model
  std::optional<CacheModel> model;  // shown first, beside the other built-in ones
  CostOptions cost;                 // of all models
  std::vector<std::string> flags;   // those of `cost`, as they are written on a command line
  std::string context;
  std::string memory;
  std::string headroom;
  std::string weights;
  std::string shared_prefix;
  int64_t sequences = 1;
  int64_t replicas = 1;
};

// Error: no model's cache can be held so.
Result<std::string> make_page(const PageStart& start);

}  // namespace kvasir::plan
