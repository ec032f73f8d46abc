#include "persist/project_pins.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "kv/layout.h"

namespace kvasir::persist {
namespace {

constexpr std::string_view kPrefix = "project: ";

}  // namespace

ProjectPins::ProjectPins(store::StoreDirectory& directory, const RecordSizes& sizes,
                         int64_t bytes_max)
    : directory_(&directory), sizes_(sizes), bytes_max_(bytes_max) {
  KVASIR_CHECK(sizes.block_bytes > 0, "blocks of some size");
  for (const store::Pin& pin : directory.pins()) {
    if (!pin.name.starts_with(kPrefix)) continue;
    const auto block = directory.blocks().find({store::Kind::kBlock, pin.key});
    const int64_t blocks = block ? block->token_end() / kv::kBlockTokens : 1;
    projects_.push_back({.name = pin.name.substr(kPrefix.size()),
                         .key = pin.key,
                         .bytes = blocks * sizes.block_bytes + sizes.state_bytes});
  }
  while (bytes_max_ > 0 && bytes() > bytes_max_) {
    if (!unpin(projects_.begin()).ok()) return;
  }
}

Status ProjectPins::keep(const std::string& project, std::span<const store::Key> keys) {
  KVASIR_CHECK(!keys.empty(), "blocks to keep");
  const auto known = std::ranges::find(projects_, project, &Project::name);
  if (known != projects_.end() && known->key == keys.back()) {
    projects_.splice(projects_.end(), projects_, known);
    return ok_status();
  }
  if (is_a_persons(keys.back())) return ok_status();
  const int64_t bytes = std::ssize(keys) * sizes_.block_bytes + sizes_.state_bytes;
  if (bytes > bytes_max_) {
    return Error{.kind = ErrorKind::kNoRoom,
                 .what = "a project's beginning is more than projects may keep",
                 .expected = "at most " + std::to_string(bytes_max_) + " bytes",
                 .found = std::to_string(bytes)};
  }
  if (known != projects_.end()) KVASIR_RETURN_IF_ERROR(unpin(known));
  while (this->bytes() + bytes > bytes_max_) KVASIR_RETURN_IF_ERROR(unpin(projects_.begin()));
  KVASIR_RETURN_IF_ERROR(
      directory_->pin({.key = keys.back(), .name = std::string(kPrefix) + project}));
  projects_.push_back({.name = project, .key = keys.back(), .bytes = bytes});
  return ok_status();
}

bool ProjectPins::is_a_persons(const store::Key& key) const {
  return std::ranges::any_of(directory_->pins(), [&](const store::Pin& pin) {
    return pin.key == key && !pin.name.starts_with(kPrefix);
  });
}

int64_t ProjectPins::bytes() const {
  int64_t bytes = 0;
  for (const Project& project : projects_) bytes += project.bytes;
  return bytes;
}

// Two projects may begin alike; then the pin stays for the other one.
Status ProjectPins::unpin(std::list<Project>::iterator project) {
  const Project gone = *project;
  projects_.erase(project);
  const auto other = std::ranges::find(projects_, gone.key, &Project::key);
  if (other == projects_.end()) return directory_->unpin(gone.key);
  return directory_->pin({.key = gone.key, .name = std::string(kPrefix) + other->name});
}

}  // namespace kvasir::persist
