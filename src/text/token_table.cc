#include "text/token_table.h"

#include <algorithm>
#include <bit>
#include <functional>

namespace kvasir::text {
namespace {

constexpr int32_t kFree = -1;
constexpr size_t kSlotsPerToken = 2;

}  // namespace

TokenTable::TokenTable(const std::vector<std::optional<std::string>>& bytes_of_id) {
  offsets_.reserve(bytes_of_id.size() + 1);
  for (const auto& bytes : bytes_of_id) {
    if (bytes) bytes_ += *bytes;
    offsets_.push_back(static_cast<uint32_t>(bytes_.size()));
  }
}

std::string_view TokenTable::bytes(int32_t id) const {
  if (id < 0 || id >= size()) return {};
  const auto index = static_cast<size_t>(id);
  return std::string_view(bytes_).substr(offsets_[index], offsets_[index + 1] - offsets_[index]);
}

void TokenTable::index(const std::vector<int32_t>& ids) {
  slots_.assign(std::bit_ceil(std::max<size_t>(2, kSlotsPerToken * ids.size())), kFree);
  for (const int32_t id : ids) {
    int32_t& slot = slots_[slot_of(bytes(id))];
    if (slot == kFree) slot = id;
  }
}

size_t TokenTable::slot_of(std::string_view wanted) const {
  const size_t mask = slots_.size() - 1;
  size_t slot = std::hash<std::string_view>()(wanted) & mask;
  while (slots_[slot] != kFree && bytes(slots_[slot]) != wanted) slot = (slot + 1) & mask;
  return slot;
}

std::optional<int32_t> TokenTable::find(std::string_view wanted) const {
  if (slots_.empty()) return std::nullopt;
  const int32_t id = slots_[slot_of(wanted)];
  if (id == kFree) return std::nullopt;
  return id;
}

}  // namespace kvasir::text
