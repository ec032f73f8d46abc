#include "text/rendered_prompt.h"

namespace kvasir::text {

std::vector<TextPart> parts_of(const std::vector<jinja::Segment>& segments) {
  std::vector<TextPart> parts;
  parts.reserve(segments.size());
  for (const jinja::Segment& segment : segments) {
    parts.push_back({.text = segment.text, .may_hold_markers = segment.is_literal});
  }
  return parts;
}

std::vector<TextPart> without_front(std::vector<TextPart> parts, size_t size) {
  auto part = parts.begin();
  while (part != parts.end() && size >= part->text.size()) size -= (part++)->text.size();
  parts.erase(parts.begin(), part);
  if (!parts.empty()) parts.front().text.remove_prefix(size);
  return parts;
}

std::vector<TextPart> front(std::vector<TextPart> parts, size_t size) {
  auto part = parts.begin();
  while (part != parts.end() && size >= part->text.size()) size -= (part++)->text.size();
  if (part != parts.end()) {
    part->text = part->text.substr(0, size);
    parts.erase(part + 1, parts.end());
  }
  return parts;
}

bool ends_with_opened_reasoning(std::string_view text) {
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  return text.ends_with("<think>");
}

}  // namespace kvasir::text
