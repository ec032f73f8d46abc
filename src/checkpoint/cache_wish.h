// find_cache_wish reads in which format a checkpoint asks for its cache. Quantisers write that
// beside the weights' own formats. A pure function.
#pragma once

#include <optional>
#include <string>

#include "base/json.h"

namespace kvasir {

// A CacheWish is the format that a checkpoint asks for, in its words, and the precision of ours
// that it is; empty: none of them.
struct CacheWish {
  std::string where;
  std::string words;
  std::string precision;
  bool is_e4m3 = false;  // E4M3 with one scale, fixed beforehand, for the keys of a layer and one
                         // for its values
};

// `place`: a config, or hf_quant_config.json. Nothing: it asks for no format but the model's own.
std::optional<CacheWish> find_cache_wish(const Json& place);

}  // namespace kvasir
