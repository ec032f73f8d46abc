#include "text/rendered_sizes.h"

#include <span>

namespace kvasir::text {
namespace {

constexpr size_t kRenderedMax = 1 << 16;

uint64_t digest_of(std::string_view text) { return xxh3_64(std::as_bytes(std::span(text))); }

}  // namespace

bool RenderedSizes::Rendered::begins(std::string_view whole) const {
  return bytes <= whole.size() && digest_of(whole.substr(0, bytes)) == digest;
}

std::optional<RenderedSizes::Rendered> RenderedSizes::find(const Digest256& key) const {
  const std::lock_guard lock(mutex_);
  const auto found = rendered_.find(key);
  if (found == rendered_.end()) return std::nullopt;
  return found->second;
}

RenderedSizes::Rendered RenderedSizes::add(const Digest256& key, std::string_view text) {
  const Rendered rendered{.bytes = text.size(), .digest = digest_of(text)};
  const std::lock_guard lock(mutex_);
  if (rendered_.size() >= kRenderedMax) rendered_.clear();
  rendered_[key] = rendered;
  return rendered;
}

}  // namespace kvasir::text
