#include "simulated_disk.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <random>

namespace kvasir::testing {
namespace {

using store::IoResult;
using store::OpenMode;

constexpr size_t kSectorBytes = 512;
constexpr size_t kPageBytes = 4096;

std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

bool is_in(const std::string& path, const std::string& folder) {
  return path.starts_with(folder + "/") || path == folder;
}

// Bytes a short call moves: less than asked for, and at least one where it can.
size_t short_count(size_t count) { return count <= 1 ? count : count / 2; }

// Old and new contents mixed as an interrupted device may leave them.
std::vector<std::byte> torn(const std::vector<std::byte>& synced,
                            const std::vector<std::byte>& data, std::mt19937_64& random) {
  const int mode = static_cast<int>(random() % 4);
  if (mode == 0) return synced;
  if (mode == 1) return data;
  const size_t unit = mode == 2 ? kPageBytes : kSectorBytes;
  size_t size = data.size();
  if (random() % 2 == 0 && data.size() > synced.size()) {
    size = synced.size() + random() % (data.size() - synced.size() + 1);
  }
  std::vector<std::byte> result = synced;
  result.resize(size);
  for (size_t at = 0; at < size; at += unit) {
    const size_t count = std::min(unit, size - at);
    if (at + count > data.size() || random() % 2 == 0) continue;
    std::memcpy(result.data() + at, data.data() + at, count);
  }
  return result;
}

template <class Map>
typename Map::mapped_type value_or(const Map& map, const std::string& path,
                                   typename Map::mapped_type otherwise) {
  const auto found = map.find(path);
  return found == map.end() ? otherwise : found->second;
}

}  // namespace

class SimulatedFile : public store::File {
 public:
  SimulatedFile(std::shared_ptr<SimulatedDisk> disk, std::shared_ptr<SimulatedDisk::Inode> inode)
      : disk_(std::move(disk)), inode_(std::move(inode)) {}

  IoResult read(int64_t offset_bytes, std::span<std::byte> out) override {
    const Fault fault = disk_->next_operation();
    if (fault == Fault::kIoError || fault == Fault::kNoSpace) return {.error = EIO};
    if (fault == Fault::kInterrupted) return {.error = EINTR};
    if (fault == Fault::kShortage) return {.error = ENOMEM};
    const auto offset = static_cast<size_t>(offset_bytes);
    if (offset >= inode_->data.size()) return {};
    size_t count = std::min(out.size(), inode_->data.size() - offset);
    if (fault == Fault::kShort) count = short_count(count);
    if (count != 0) std::memcpy(out.data(), inode_->data.data() + offset, count);
    return {.count = static_cast<int64_t>(count)};
  }

  IoResult write(int64_t offset_bytes, std::span<const std::byte> bytes) override {
    const Fault fault = disk_->next_operation();
    if (fault == Fault::kIoError) return {.error = EIO};
    if (fault == Fault::kNoSpace) return {.error = ENOSPC};
    if (fault == Fault::kInterrupted) return {.error = EINTR};
    size_t count = bytes.size();
    if (fault == Fault::kShort || fault == Fault::kShortThenFail) count = short_count(count);
    const size_t end = static_cast<size_t>(offset_bytes) + count;
    const int64_t grows_bytes = static_cast<int64_t>(end) - std::ssize(inode_->data);
    if (grows_bytes > 0 && disk_->total_bytes() + grows_bytes > disk_->capacity_bytes_) {
      return {.error = ENOSPC};
    }
    if (grows_bytes > 0) inode_->data.resize(end);
    disk_->peak_bytes_ = std::max(disk_->peak_bytes_, disk_->total_bytes());
    if (count != 0) std::memcpy(inode_->data.data() + offset_bytes, bytes.data(), count);
    if (fault == Fault::kShortThenFail) return {.error = ENOSPC};
    return {.count = static_cast<int64_t>(count)};
  }

  IoResult size() override {
    const Fault fault = disk_->next_operation();
    if (fault == Fault::kIoError) return {.error = EIO};
    return {.count = std::ssize(inode_->data)};
  }

  IoResult truncate(int64_t size_bytes) override {
    const Fault fault = disk_->next_operation();
    if (fault == Fault::kIoError) return {.error = EIO};
    inode_->data.resize(static_cast<size_t>(size_bytes));
    return {};
  }

  IoResult sync() override {
    const Fault fault = disk_->next_operation();
    if (fault == Fault::kSyncFails || fault == Fault::kFileSyncFails || fault == Fault::kIoError) {
      // As Linux does: the pages count as clean from now on, whatever the device holds.
      lost_ = true;
      return {.error = EIO};
    }
    if (!lost_) inode_->synced = inode_->data;
    return {};
  }

 private:
  std::shared_ptr<SimulatedDisk> disk_;
  std::shared_ptr<SimulatedDisk::Inode> inode_;
  bool lost_ = false;
};

class SimulatedLock : public store::FileLock {
 public:
  SimulatedLock(std::shared_ptr<SimulatedDisk> disk, std::string path)
      : disk_(std::move(disk)), path_(std::move(path)) {}
  ~SimulatedLock() override { disk_->locks_.erase(path_); }

 private:
  std::shared_ptr<SimulatedDisk> disk_;
  std::string path_;
};

void SimulatedDisk::set_fault(Fault fault, int64_t operation, bool is_sticky) {
  fault_ = fault;
  fault_operation_ = operation;
  fault_is_sticky_ = is_sticky;
}

Fault SimulatedDisk::next_operation() {
  const int64_t operation = operation_count_++;
  if (observer_) observer_(operation);
  if (fault_ == Fault::kNone || operation < fault_operation_) return Fault::kNone;
  if (operation > fault_operation_ && !fault_is_sticky_) return Fault::kNone;
  ++fault_count_;
  return fault_;
}

store::FileFacts SimulatedDisk::look(const std::string& path) {
  if (next_operation() == Fault::kIoError) return {.error = EIO};
  if (directories_.contains(path)) return {.kind = store::FileKind::kDirectory};
  const auto found = files_.find(path);
  // Locks are no files of this disk, but they are there.
  const bool is_lock = locks_.contains(path);
  if (found == files_.end() && !is_lock) return {.error = ENOENT};
  return {.kind = value_or(kinds_, path, store::FileKind::kFile),
          .size_bytes = is_lock ? 0 : std::ssize(found->second->data),
          .owner = value_or(owners_, path, 0),
          .name_count = value_or(name_counts_, path, 1)};
}

IoResult SimulatedDisk::owner_of_new_files(const std::string&) {
  if (next_operation() == Fault::kIoError) return {.error = EIO};
  return {.error = is_read_only_ ? EROFS : 0};
}

store::Opened<store::File> SimulatedDisk::open(const std::string& path, OpenMode mode) {
  const Fault fault = next_operation();
  if (fault == Fault::kIoError) return {.error = EIO};
  if (fault == Fault::kInterrupted) return {.error = EINTR};
  if (fault == Fault::kShortage) return {.error = EMFILE};
  const bool is_for_writing = mode == OpenMode::kReadWrite || mode == OpenMode::kCreate;
  if (is_read_only_ && is_for_writing) return {.error = EROFS};
  if (forbidden_.contains(path)) return {.error = EACCES};
  if (value_or(kinds_, path, store::FileKind::kFile) != store::FileKind::kFile) {
    return {.error = EINVAL};
  }
  if (mode == OpenMode::kReadWrite && value_or(name_counts_, path, 1) > 1) return {.error = EMLINK};
  const auto found = files_.find(path);
  if (mode == OpenMode::kCreate) {
    if (fault == Fault::kNoSpace) return {.error = ENOSPC};
    if (found != files_.end()) return {.error = EEXIST};
    auto inode = std::make_shared<Inode>();
    files_.emplace(path, inode);
    return {.object = std::make_unique<SimulatedFile>(shared_from_this(), std::move(inode))};
  }
  if (found == files_.end()) return {.error = ENOENT};
  return {.object = std::make_unique<SimulatedFile>(shared_from_this(), found->second)};
}

store::Opened<store::FileLock> SimulatedDisk::lock(const std::string& path) {
  const Fault fault = next_operation();
  if (fault == Fault::kIoError) return {.error = EIO};
  if (fault == Fault::kShortage) return {.error = EMFILE};
  if (is_read_only_) return {.error = EROFS};
  if (!locks_.insert(path).second) return {.error = EWOULDBLOCK};
  return {.object = std::make_unique<SimulatedLock>(shared_from_this(), path)};
}

IoResult SimulatedDisk::make_directory(const std::string& path) {
  const Fault fault = next_operation();
  if (fault == Fault::kIoError) return {.error = EIO};
  if (fault == Fault::kNoSpace) return {.error = ENOSPC};
  if (is_read_only_ && !directories_.contains(path)) return {.error = EROFS};
  return {.error = directories_.insert(path).second ? 0 : EEXIST};
}

IoResult SimulatedDisk::list(const std::string& path, std::vector<std::string>& names) {
  if (next_operation() == Fault::kIoError) return {.error = EIO};
  if (!directories_.contains(path)) return {.error = ENOENT};
  names.clear();
  for (const auto& [file, inode] : files_) {
    if (folder_of(file) == path) names.push_back(file.substr(path.size() + 1));
  }
  return {.count = std::ssize(names)};
}

IoResult SimulatedDisk::remove(const std::string& path) {
  if (next_operation() == Fault::kIoError) return {.error = EIO};
  if (is_read_only_) return {.error = EROFS};
  return {.error = files_.erase(path) == 1 ? 0 : ENOENT};
}

IoResult SimulatedDisk::sync_directory(const std::string& path) {
  const Fault fault = next_operation();
  if (fault == Fault::kSyncFails || fault == Fault::kIoError) return {.error = EIO};
  std::erase_if(durable_files_, [&](const auto& one) { return folder_of(one.first) == path; });
  for (const auto& [file, inode] : files_) {
    if (folder_of(file) == path) durable_files_.emplace(file, inode);
  }
  for (const std::string& directory : directories_) {
    if (folder_of(directory) == path) durable_directories_.insert(directory);
  }
  return {};
}

std::unique_ptr<store::BatchReader> SimulatedDisk::make_batch_reader() {
  return store::thread_reader(0);
}

IoResult SimulatedDisk::free_bytes(const std::string&) {
  if (next_operation() == Fault::kIoError) return {.error = EIO};
  return {.count = capacity_bytes_ - total_bytes()};
}

std::shared_ptr<SimulatedDisk> SimulatedDisk::after_kill() const {
  auto disk = std::make_shared<SimulatedDisk>(capacity_bytes_);
  disk->directories_ = directories_;
  disk->durable_directories_ = directories_;
  disk->kinds_ = kinds_;
  disk->owners_ = owners_;
  disk->name_counts_ = name_counts_;
  for (const auto& [path, inode] : files_) {
    disk->files_.emplace(path, std::make_shared<Inode>(Inode{inode->data, inode->data}));
  }
  disk->durable_files_ = disk->files_;
  return disk;
}

std::shared_ptr<SimulatedDisk> SimulatedDisk::after_power_loss(uint64_t seed) const {
  std::mt19937_64 random(seed);
  auto disk = std::make_shared<SimulatedDisk>(capacity_bytes_);
  disk->directories_ = directories_;
  Files names = durable_files_;
  for (const auto& [path, inode] : files_) {
    if (!names.contains(path) && random() % 2 == 0) names.emplace(path, inode);
  }
  for (const auto& [path, inode] : durable_files_) {
    if (!files_.contains(path) && random() % 2 == 0) names.erase(path);
  }
  // A folder that goes takes along what is in it.
  for (const std::string& directory : directories_) {
    if (durable_directories_.contains(directory) || random() % 2 == 0) continue;
    std::erase_if(names, [&](const auto& one) { return is_in(one.first, directory); });
    std::erase_if(disk->directories_,
                  [&](const std::string& one) { return is_in(one, directory); });
  }
  disk->durable_directories_ = disk->directories_;
  for (const auto& [path, inode] : names) {
    std::vector<std::byte> data = torn(inode->synced, inode->data, random);
    disk->files_.emplace(path, std::make_shared<Inode>(Inode{data, data}));
  }
  disk->durable_files_ = disk->files_;
  return disk;
}

std::vector<std::byte>* SimulatedDisk::contents(const std::string& path) {
  const auto found = files_.find(path);
  return found == files_.end() ? nullptr : &found->second->data;
}

std::vector<std::string> SimulatedDisk::paths() const {
  std::vector<std::string> list;
  list.reserve(files_.size());
  for (const auto& [path, inode] : files_) list.push_back(path);
  return list;
}

int64_t SimulatedDisk::total_bytes() const {
  int64_t sum = 0;
  for (const auto& [path, inode] : files_) sum += std::ssize(inode->data);
  return sum;
}

}  // namespace kvasir::testing
