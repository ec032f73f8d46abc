// A TensorDirectory holds every tensor of a checkpoint by its official name, whether it comes from
// safetensors or from GGUF files. Each is to be taken exactly once. It owns the mapped files, and
// what was decoded from them on loading. One thread fills it; afterwards it is immutable.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "checkpoint/checkpoint_place.h"
#include "checkpoint/load_memory.h"
#include "checkpoint/mapped_file.h"
#include "checkpoint/shard_index.h"
#include "checkpoint/tensor_info.h"
#include "kvasir/result.h"

namespace kvasir {

struct StoredTensor {
  TensorInfo info;
  const MappedFile* file = nullptr;
  bool is_taken = false;
  bool is_left_out = false;

  std::span<const std::byte> bytes() const {
    return file->bytes().subspan(info.offset_bytes, info.size_bytes);
  }
  // "path: stored name"
  std::string where() const { return file->path() + ": " + info.name; }
};

// How a family calls its tensors.
struct TensorNaming {
  // The one name of a tensor, whatever spelling it is stored under; none: it is no part of a model.
  std::optional<std::string> (*official_name)(std::string_view stored_name);
  // Whether a text model does without the tensor.
  bool (*is_ignored)(std::string_view stored_name);
  // What people find in such files for an official name, for messages. Null: the official name.
  std::string (*stored_name)(std::string_view official_name) = nullptr;
};

class TensorDirectory {
 public:
  // Reads what find_checkpoint says of `path`. Of safetensors: `model.safetensors`, or the shards
  // that `model.safetensors.index.json` names. With both present the single file counts, as in
  // transformers. Of GGUF: all parts of the file, which must be there. Everything that heads say of
  // tensors is checked here, before a tensor can be asked for.
  static Result<TensorDirectory> open(const std::string& path, const TensorNaming& naming);

  CheckpointForm form() const { return form_; }
  // Of the single file, of the index, or of the first part.
  const std::string& path() const { return path_; }
  const std::vector<std::unique_ptr<MappedFile>>& files() const { return files_; }
  bool has(const std::string& official_name) const { return find(official_name) != nullptr; }
  // Null when there is none. It is not taken by this.
  const StoredTensor* find(const std::string& official_name) const;
  // The pointer stays valid as long as the directory. REQUIRES: not taken before.
  Result<const StoredTensor*> take(const std::string& official_name);
  // Takes the tensors whose official names begin so out of the directory: they are no part of the
  // model that is run. REQUIRES: none was taken.
  void leave_out(std::string_view prefix);
  // Fails when a tensor is left over.
  Status check_all_taken() const;

  uint64_t taken_bytes() const { return taken_bytes_; }

  // For what is decoded or copied on loading: it lives as long as the directory.
  LoadMemory& memory() { return memory_; }
  const LoadMemory& memory() const { return memory_; }
  // Official names, ascending.
  std::vector<std::pair<std::string, const StoredTensor*>> taken_by_name() const;

 private:
  TensorDirectory(std::string path, CheckpointForm form, const TensorNaming& naming)
      : path_(std::move(path)), form_(form), naming_(naming) {}

  static Result<TensorDirectory> open_single(const std::string& path, const TensorNaming& naming);
  static Result<TensorDirectory> open_shards(const std::string& directory,
                                             const TensorNaming& naming);
  static Result<TensorDirectory> open_gguf(const std::string& path, const TensorNaming& naming);
  Status add_file(const std::string& path);
  Status add_tensors(std::vector<TensorInfo> infos, std::unique_ptr<MappedFile> file);
  Status add_tensor(TensorInfo info, const MappedFile* file);
  Status check_index(const ShardMap& shard_of) const;

  std::string path_;
  CheckpointForm form_;
  TensorNaming naming_;
  std::vector<std::unique_ptr<MappedFile>> files_;
  std::vector<StoredTensor> tensors_;                 // in the order of files and headers
  std::unordered_map<std::string, size_t> index_of_;  // by official name
  uint64_t taken_bytes_ = 0;
  LoadMemory memory_;
};

}  // namespace kvasir
