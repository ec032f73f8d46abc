#include "text/jinja/traced_text.h"

#include <algorithm>

namespace kvasir::text::jinja {
namespace {

bool continues_character(char byte) { return (static_cast<uint8_t>(byte) & 0xC0) == 0x80; }

}  // namespace

void TracedText::append(std::string_view bytes, Origin origin) {
  if (bytes.empty()) return;
  bytes_ += bytes;
  if (runs_.empty() || runs_.back().origin != origin) runs_.push_back({0, origin});
  runs_.back().end = bytes_.size();
}

void TracedText::append_part(const TracedText& text, size_t begin, size_t end) {
  auto run = std::upper_bound(text.runs_.begin(), text.runs_.end(), begin,
                              [](size_t offset, const Run& one) { return offset < one.end; });
  const std::string_view bytes = text.bytes_;
  for (; begin < end; ++run) {
    const size_t run_end = std::min(run->end, end);
    append(bytes.substr(begin, run_end - begin), run->origin);
    begin = run_end;
  }
}

TracedText TracedText::part(size_t begin, size_t end) const {
  TracedText result;
  result.is_html_ = is_html_;
  result.append_part(*this, begin, end);
  return result;
}

size_t count_characters(std::string_view bytes) {
  return static_cast<size_t>(
      std::ranges::count_if(bytes, [](char byte) { return !continues_character(byte); }));
}

size_t offset_of_character(std::string_view bytes, size_t index) {
  size_t offset = 0;
  for (; index > 0 && offset < bytes.size(); --index) {
    offset += character_size_bytes(bytes, offset);
  }
  return offset;
}

size_t character_size_bytes(std::string_view bytes, size_t offset) {
  size_t end = offset + 1;
  while (end < bytes.size() && continues_character(bytes[end])) ++end;
  return end - offset;
}

}  // namespace kvasir::text::jinja
