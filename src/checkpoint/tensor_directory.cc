#include "checkpoint/tensor_directory.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "checkpoint/gguf_file.h"
#include "checkpoint/gguf_tensors.h"
#include "checkpoint/safetensors.h"

namespace kvasir {
namespace {

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

// A split file may say how many tensors all of its parts hold.
Status check_parts(const GgufFile& file) {
  if (!file.missing.empty()) {
    return Error{.kind = ErrorKind::kNotFound,
                 .what = "parts of the model are not there",
                 .where = file.path(),
                 .expected = joined(file.missing) + " beside it"};
  }
  const Json* stated = file.parts.front().head.find("split.tensors.count");
  int64_t count = 0;
  for (const GgufPart& part : file.parts) count += std::ssize(part.head.tensors());
  if (stated == nullptr || (stated->as_integer() != nullptr && *stated->as_integer() == count)) {
    return ok_status();
  }
  return Error{.kind = ErrorKind::kDamaged,
               .what = "parts of the model do not hold what the first one says",
               .where = file.path(),
               .expected = stated->dump() + " tensors",
               .found = std::to_string(count) + " tensors"};
}

}  // namespace

Result<TensorDirectory> TensorDirectory::open(const std::string& path, const TensorNaming& naming) {
  KVASIR_ASSIGN_OR_RETURN(const CheckpointPlace place, find_checkpoint(path));
  if (place.form == CheckpointForm::kGguf) return open_gguf(place.path, naming);
  const std::string single_path = path_in(path, kSingleName);
  if (path_exists(single_path)) return open_single(single_path, naming);
  if (path_exists(path_in(path, kIndexName))) return open_shards(path, naming);
  return Error{
      .kind = ErrorKind::kNotFound,
      .what = "no weights found",
      .where = path,
      .expected = std::string(kSingleName) + ", " + std::string(kIndexName) + " or a GGUF file"};
}

Result<TensorDirectory> TensorDirectory::open_single(const std::string& path,
                                                     const TensorNaming& naming) {
  TensorDirectory directory(path, CheckpointForm::kSafetensors, naming);
  KVASIR_RETURN_IF_ERROR(directory.add_file(path));
  return directory;
}

Result<TensorDirectory> TensorDirectory::open_shards(const std::string& directory_path,
                                                     const TensorNaming& naming) {
  TensorDirectory directory(path_in(directory_path, kIndexName), CheckpointForm::kSafetensors,
                            naming);
  KVASIR_ASSIGN_OR_RETURN(const ShardMap shard_of,
                          read_shard_index(directory_path, directory.path_));
  std::set<std::string> paths;
  for (const auto& [tensor, path] : shard_of) paths.insert(path);
  for (const std::string& path : paths) KVASIR_RETURN_IF_ERROR(directory.add_file(path));
  KVASIR_RETURN_IF_ERROR(directory.check_index(shard_of));
  return directory;
}

Result<TensorDirectory> TensorDirectory::open_gguf(const std::string& path,
                                                   const TensorNaming& naming) {
  KVASIR_ASSIGN_OR_RETURN(GgufFile file, read_gguf_file(path));
  KVASIR_RETURN_IF_ERROR(check_parts(file));
  TensorDirectory directory(file.path(), CheckpointForm::kGguf, naming);
  for (GgufPart& part : file.parts) {
    KVASIR_ASSIGN_OR_RETURN(
        auto infos, tensors_in_gguf(part.head, part.file->bytes().size(), part.file->path()));
    KVASIR_RETURN_IF_ERROR(directory.add_tensors(std::move(infos), std::move(part.file)));
  }
  return directory;
}

Status TensorDirectory::add_file(const std::string& path) {
  KVASIR_ASSIGN_OR_RETURN(auto file, MappedFile::open(path));
  KVASIR_ASSIGN_OR_RETURN(auto infos, parse_safetensors(file->bytes(), path));
  return add_tensors(std::move(infos), std::move(file));
}

Status TensorDirectory::add_tensors(std::vector<TensorInfo> infos,
                                    std::unique_ptr<MappedFile> file) {
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

const StoredTensor* TensorDirectory::find(const std::string& official_name) const {
  const auto entry = index_of_.find(official_name);
  return entry == index_of_.end() ? nullptr : &tensors_[entry->second];
}

Result<const StoredTensor*> TensorDirectory::take(const std::string& official_name) {
  const auto entry = index_of_.find(official_name);
  if (entry == index_of_.end()) {
    return Error{.kind = ErrorKind::kDamaged,
                 .what = "tensor is missing",
                 .where = path_ + ": " +
                          (naming_.stored_name == nullptr ? official_name
                                                          : naming_.stored_name(official_name)),
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
    StoredTensor& tensor = tensors_[entry.second];
    KVASIR_CHECK(!tensor.is_taken, "a tensor in use is left out");
    tensor.is_left_out = true;
    return true;
  });
}

Status TensorDirectory::check_all_taken() const {
  for (const StoredTensor& tensor : tensors_) {
    if (!tensor.is_taken && !tensor.is_left_out) {
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
