#include "store/remote/envelope.h"

#include <algorithm>
#include <array>

namespace kvasir::store::remote {
namespace {

// A record is sealed where it lies: a stream cipher writes over what it has read.
constexpr size_t kBefore = SealingKey::kPrefixBytes;

// What a sealed record is bound to: its kind and its name.
std::array<std::byte, 33> context_of(const ObjectName& name) {
  std::array<std::byte, 33> context;
  context[0] = static_cast<std::byte>(name.kind);
  std::ranges::copy(name.hash, context.begin() + 1);
  return context;
}

}  // namespace

Envelope Envelope::sealing(std::span<const std::byte> secret) {
  Envelope envelope;
  envelope.key_.emplace(secret, "kvasir remote records");
  return envelope;
}

int64_t Envelope::bytes_of(int64_t record_bytes) const {
  return record_bytes + (key_ ? SealingKey::kOverheadBytes : 0);
}

std::span<std::byte> Envelope::record_part(std::span<std::byte> place) const {
  return key_ ? place.subspan(kBefore, place.size() - SealingKey::kOverheadBytes) : place;
}

void Envelope::close(const ObjectName& name, std::span<std::byte> place) const {
  if (key_) key_->seal(record_part(place), context_of(name), place);
}

std::optional<std::span<const std::byte>> Envelope::open(const ObjectName& name,
                                                         std::span<std::byte> place) const {
  const std::span<std::byte> record = record_part(place);
  if (key_ && !key_->open(place, context_of(name), record)) return std::nullopt;
  return record;
}

}  // namespace kvasir::store::remote
