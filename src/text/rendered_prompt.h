// These functions make ids of what a chat template rendered.
//
// Free functions without state. The parts refer to the segments.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "text/jinja/template.h"
#include "text/tokenizer.h"

namespace kvasir::text {

std::vector<TextPart> parts_of(const std::vector<jinja::Segment>& segments);

// The parts without the first `size` bytes.
std::vector<TextPart> without_front(std::vector<TextPart> parts, size_t size);

// The first `size` bytes of the parts.
std::vector<TextPart> front(std::vector<TextPart> parts, size_t size);

// Whether whoever writes on writes reasoning.
bool ends_with_opened_reasoning(std::string_view text);

}  // namespace kvasir::text
