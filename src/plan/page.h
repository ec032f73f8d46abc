// One self-contained page on which a person changes model, context, precision and memory and sees
// bill and curves. It carries the terms of every built-in model in every precision and sums them as
// bytes_of does.
#pragma once

#include <optional>
#include <string>

#include "kvasir/plan.h"

namespace kvasir::plan {

// own: a model to show first, beside the built-in ones.
std::string make_page(const std::optional<CacheModel>& own);

}  // namespace kvasir::plan
