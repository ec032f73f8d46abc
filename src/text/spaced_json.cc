#include "text/spaced_json.h"

#include <array>
#include <charconv>
#include <cmath>

namespace kvasir::text {
namespace {

// 1.0, 0.0001, 1e+16, and 1e-6 or 1e-06
std::string real_text(double value, const RealStyle& style) {
  const double size = std::abs(value);
  const bool is_plain = size == 0 || (size >= style.plain_min && size < 1e16);
  std::array<char, 40> buffer{};
  const auto written =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                    is_plain ? std::chars_format::fixed : std::chars_format::scientific);
  std::string text(buffer.data(), written.ptr);
  if (is_plain) return text.find('.') == text.npos ? text + ".0" : text;
  const size_t exponent = text.find('e') + 2;
  while (text.size() - exponent > style.exponent_size && text[exponent] == '0') {
    text.erase(exponent, 1);
  }
  return text;
}

std::string spaced_array(const Json::Array& array, const RealStyle& reals) {
  std::string text = "[";
  for (const Json& item : array) {
    text += (text.size() > 1 ? ", " : "") + spaced_json(item, reals);
  }
  return text + "]";
}

std::string spaced_object(const Json::Object& object, const RealStyle& reals) {
  std::string text = "{";
  for (const auto& [name, member] : object) {
    text += (text.size() > 1 ? ", " : "") + Json(name).dump() + ": " + spaced_json(member, reals);
  }
  return text + "}";
}

}  // namespace

std::string spaced_json(const Json& json, const RealStyle& reals) {
  if (const Json::Array* array = json.as_array()) return spaced_array(*array, reals);
  if (const Json::Object* object = json.as_object()) return spaced_object(*object, reals);
  if (const double* real = json.as_double()) return real_text(*real, reals);
  return json.dump();
}

}  // namespace kvasir::text
