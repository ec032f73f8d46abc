#include "checkpoint/tensor_directory.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "base/check.h"

namespace kvasir {
Result<TensorDirectory> TensorDirectory::open(const std::string& directory,
                                              const TensorNaming& naming) {
  const std::string single_path = path_in(directory, kSingleName);
  if (path_exists(single_path)) return open_single(single_path, naming);
  if (path_exists(path_in(directory, kIndexName))) return open_shards(directory, naming);
  return Error{.kind = ErrorKind::kNotFound,
               .what = "no weights found",
               .where = directory,
               .expected = std::string(kSingleName) + " or " + std::string(kIndexName)};
}

Result<TensorDirectory> TensorDirectory::open_single(const std::string& path,
                                                     const TensorNaming& naming) {
  TensorDirectory directory(path, naming);
  KVASIR_RETURN_IF_ERROR(directory.add_file(path));
  return directory;
}

Result<TensorDirectory> TensorDirectory::open_shards(const std::string& directory_path,
                                                     const TensorNaming& naming) {
  TensorDirectory directory(path_in(directory_path, kIndexName), naming);
  KVASIR_ASSIGN_OR_RETURN(const ShardMap shard_of,
                          read_shard_index(directory_path, directory.path_));
  std::set<std::string> paths;
  for (const auto& [tensor, path] : shard_of) paths.insert(path);
  for (const std::string& path : paths) KVASIR_RETURN_IF_ERROR(directory.add_file(path));
  KVASIR_RETURN_IF_ERROR(directory.check_index(shard_of));
  return directory;
}

Status TensorDirectory::add_file(const std::string& path) {
  KVASIR_ASSIGN_OR_RETURN(auto file, MappedFile::open(path));
  KVASIR_ASSIGN_OR_RETURN(auto infos, parse_safetensors(file->bytes(), path));
  for (TensorInfo& info : infos) {
    KVASIR_RETURN_IF_ERROR(add_tensor(std::move(info), file.get()));
  }
  files_.push_back(std::move(file));
  return ok_status();
}

Status TensorDirectory::add_tensor(TensorInfo info, const MappedFile* file) {
  if (naming_.is_ignored(info.name)) return ok_status();
  StoredTensor tensor{std::move(info), file};
  std::optional<std::string> official = naming_.official_name(tensor.info.name);
  if (!official) {
    return Error{.kind = ErrorKind::kDamaged,
                 .what = "tensor belongs to no part of the model",
                 .where = tensor.where()};
  }
  const auto [entry, is_new] = index_of_.emplace(std::move(*official), tensors_.size());
  if (!is_new) {
    return Error{.kind = ErrorKind::kDamaged,
                 .what = "tensor is stored twice",
                 .where = tensor.where(),
                 .expected = "one tensor for " + entry->first,
                 .found = "also " + tensors_[entry->second].where()};
  }
  tensors_.push_back(std::move(tensor));
  return ok_status();
}

// Index and shards must tell the same story: if they do not, some file comes from elsewhere and
// nobody can say which.
Status TensorDirectory::check_index(const ShardMap& shard_of) const {
  std::unordered_map<std::string_view, const StoredTensor*> by_name;
  for (const StoredTensor& tensor : tensors_) {
    by_name.emplace(tensor.info.name, &tensor);
    const auto entry = shard_of.find(tensor.info.name);
    if (entry == shard_of.end() || entry->second != tensor.file->path()) {
      return Error{.kind = ErrorKind::kDamaged,
                   .what = "index and shard disagree",
                   .where = tensor.where(),
                   .expected = path_ + " to name this shard",
                   .found = entry == shard_of.end() ? "no entry" : entry->second};
    }
  }
  for (const auto& [name, path] : shard_of) {
    if (naming_.is_ignored(name) || by_name.count(name) != 0) continue;
    return Error{.kind = ErrorKind::kDamaged,
                 .what = "tensor is not in the shard that the index names",
                 .where = path_ + ": " + name,
                 .expected = path};
  }
  return ok_status();
}

bool TensorDirectory::has(const std::string& official_name) const {
  return index_of_.count(official_name) != 0;
}

Result<const StoredTensor*> TensorDirectory::take(const std::string& official_name) {
  const auto entry = index_of_.find(official_name);
  if (entry == index_of_.end()) {
    return Error{.kind = ErrorKind::kDamaged,
                 .what = "tensor is missing",
                 .where = path_ + ": " + official_name,
                 .expected = "it under this name or another that its family knows"};
  }
  StoredTensor& tensor = tensors_[entry->second];
  KVASIR_CHECK(!tensor.is_taken, "a tensor is taken twice");
  tensor.is_taken = true;
  taken_bytes_ += tensor.info.size_bytes;
  return &tensor;
}

void TensorDirectory::leave_out(std::string_view prefix) {
  std::erase_if(index_of_, [&](const auto& entry) {
    if (!entry.first.starts_with(prefix)) return false;
    KVASIR_CHECK(!tensors_[entry.second].is_taken, "a tensor in use is left out");
    return true;
  });
}

Status TensorDirectory::check_all_taken() const {
  for (const auto& [name, index] : index_of_) {
    const StoredTensor& tensor = tensors_[index];
    if (!tensor.is_taken) {
      return Error{.kind = ErrorKind::kDamaged,
                   .what = "tensor does not belong to a model of this config",
                   .where = tensor.where()};
    }
  }
  return ok_status();
}

std::vector<std::pair<std::string, const StoredTensor*>> TensorDirectory::taken_by_name() const {
  std::vector<std::pair<std::string, const StoredTensor*>> list;
  list.reserve(index_of_.size());
  for (const auto& [name, index] : index_of_) {
    if (tensors_[index].is_taken) list.emplace_back(name, &tensors_[index]);
  }
  std::sort(list.begin(), list.end());
  return list;
}

}  // namespace kvasir
