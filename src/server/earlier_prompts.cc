#include "server/earlier_prompts.h"

#include <algorithm>
#include <utility>

#include "server/prompt_place.h"

namespace kvasir::server {
namespace {

int64_t bytes_of(const EarlierPrompt& prompt) {
  constexpr int64_t kBesideBytes = 256;
  return std::ssize(prompt.ids) * int64_t{sizeof(int32_t)} + kBesideBytes;
}

}  // namespace

void EarlierPrompts::put(Entry entry) {
  const auto is_same = [&](const Entry& other) {
    return other.tenant == entry.tenant && other.prompt->id == entry.prompt->id;
  };
  if (const auto old = std::ranges::find_if(entries_, is_same); old != entries_.end()) erase(old);
  if (bytes_of(*entry.prompt) > bytes_max_) return;
  bytes_[entry.tenant] += bytes_of(*entry.prompt);
  all_bytes_ += bytes_of(*entry.prompt);
  entries_.push_back(std::move(entry));
  while (all_bytes_ > bytes_max_) {
    const auto most =
        std::ranges::max_element(bytes_, {}, [](const auto& one) { return one.second; });
    erase(std::ranges::find(entries_, most->first, &Entry::tenant));
  }
}

void EarlierPrompts::erase(std::deque<Entry>::iterator entry) {
  const int64_t bytes = bytes_of(*entry->prompt);
  all_bytes_ -= bytes;
  const auto of_tenant = bytes_.find(entry->tenant);
  of_tenant->second -= bytes;
  if (of_tenant->second == 0) bytes_.erase(of_tenant);
  entries_.erase(entry);
}

void EarlierPrompts::add(std::string_view tenant, EarlierPrompt prompt) {
  Entry entry{std::string(tenant), std::make_shared<const EarlierPrompt>(std::move(prompt))};
  const std::lock_guard lock(mutex_);
  put(std::move(entry));
}

void EarlierPrompts::extend(std::string_view tenant, std::string_view id,
                            std::span<const int32_t> said) {
  const std::lock_guard lock(mutex_);
  const auto found = std::ranges::find_if(entries_, [&](const Entry& entry) {
    return entry.tenant == tenant && entry.prompt->id == id;
  });
  if (found == entries_.end()) return;
  EarlierPrompt longer = *found->prompt;
  longer.ids.insert(longer.ids.end(), said.begin(), said.end());
  put({std::string(tenant), std::make_shared<const EarlierPrompt>(std::move(longer))});
}

std::optional<EarlierPrompts::Likeness> EarlierPrompts::nearest(
    std::string_view tenant, std::span<const int32_t> ids) const {
  std::optional<Likeness> nearest;
  const std::lock_guard lock(mutex_);
  for (const Entry& entry : entries_) {
    if (entry.tenant != tenant) continue;
    const int64_t same = same_beginning(entry.prompt->ids, ids);
    if (!nearest || same >= nearest->same_ids) nearest = {entry.prompt, same};
  }
  return nearest;
}

std::optional<EarlierPrompts::Likeness> EarlierPrompts::find(std::string_view tenant,
                                                             std::string_view id,
                                                             std::span<const int32_t> ids) const {
  const std::lock_guard lock(mutex_);
  for (const Entry& entry : entries_) {
    if (entry.tenant != tenant || entry.prompt->id != id) continue;
    return Likeness{entry.prompt, same_beginning(entry.prompt->ids, ids)};
  }
  return std::nullopt;
}

}  // namespace kvasir::server
