#include "kvasir/result.h"

#include <algorithm>
#include <cstdio>

#include "base/check.h"

namespace kvasir {
namespace {

constexpr size_t kOutsideTextBytesMax = 400;

// Outside bytes (file names, tensor names, tokens) end up in messages: keep them on one line and
// readable.
std::string printable(const std::string& text) {
  size_t end = std::min(text.size(), kOutsideTextBytesMax);
  const auto splits_character = [&] { return end < text.size() && (text[end] & 0xc0) == 0x80; };
  while (end > 0 && splits_character()) --end;
  std::string out;
  for (size_t i = 0; i < end; ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x20 || byte == 0x7f) {
      char escaped[5];
      std::snprintf(escaped, sizeof escaped, "\\x%02x", byte);
      out += escaped;
    } else {
      out += text[i];
    }
  }
  if (end < text.size()) out += "...";
  return out;
}

}  // namespace

const char* name_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kUsage:
      return "usage";
    case ErrorKind::kNotFound:
      return "not_found";
    case ErrorKind::kDamaged:
      return "damaged";
    case ErrorKind::kIo:
      return "io";
    case ErrorKind::kLocked:
      return "locked";
    case ErrorKind::kNoMemory:
      return "no_memory";
    case ErrorKind::kNoRoom:
      return "no_room";
    case ErrorKind::kUnsupported:
      return "unsupported";
    case ErrorKind::kBusy:
      return "busy";
    case ErrorKind::kInterrupted:
      return "interrupted";
  }
  KVASIR_CHECK(false, "a known kind");
}

std::string Error::message() const {
  std::string line = printable(what);
  if (!field.empty()) line += ", " + printable(field);
  if (!where.empty()) line += ", " + printable(where);
  if (offset) line += ", offset " + std::to_string(*offset);
  if (!expected.empty()) line += ", expected " + printable(expected);
  if (!found.empty()) line += ", found " + printable(found);
  if (!remedy.empty()) line += "; " + printable(remedy);
  return line;
}

}  // namespace kvasir
