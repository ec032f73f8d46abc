#include "model/decoder/gguf_keys.h"

#include <fmt/format.h>

namespace kvasir::model::decoder {

const Json* GgufKeys::find(std::string_view name) const {
  return all_.find(fmt::format("{}.{}", architecture_, name));
}

int64_t GgufKeys::integer(std::string_view name, int64_t absent) const {
  const Json* value = find(name);
  return value != nullptr && value->as_integer() != nullptr ? *value->as_integer() : absent;
}

double GgufKeys::real(std::string_view name, double absent) const {
  const Json* value = find(name);
  if (value != nullptr && value->as_double() != nullptr) return *value->as_double();
  return value != nullptr && value->as_integer() != nullptr
             ? static_cast<double>(*value->as_integer())
             : absent;
}

std::string_view GgufKeys::text(std::string_view name, std::string_view absent) const {
  const Json* value = find(name);
  return value != nullptr && value->as_string() != nullptr ? std::string_view(*value->as_string())
                                                           : absent;
}

}  // namespace kvasir::model::decoder
