// GgufKeys are the keys of a GGUF file that belong to its architecture. A view: it must not outlive
// the keys. Immutable.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/json.h"

namespace kvasir::model::decoder {

class GgufKeys {
 public:
  // architecture: what stands before the names of keys.
  GgufKeys(const Json& all, std::string_view architecture)
      : all_(all), architecture_(architecture) {}

  // Each of another type than asked for counts as absent.
  const Json* find(std::string_view name) const;
  bool has(std::string_view name) const { return find(name) != nullptr; }
  int64_t integer(std::string_view name, int64_t absent) const;
  double real(std::string_view name, double absent) const;
  std::string_view text(std::string_view name, std::string_view absent) const;

 private:
  const Json& all_;
  std::string_view architecture_;
};

}  // namespace kvasir::model::decoder
