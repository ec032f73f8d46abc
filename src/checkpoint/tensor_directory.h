// A TensorDirectory holds every tensor of a checkpoint directory by its official name. Each is to
// be taken exactly once. It owns the mapped files. One thread fills it while opening; afterwards it
// is immutable.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "checkpoint/mapped_file.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/shard_index.h"
#include "kvasir/result.h"

namespace kvasir {

struct StoredTensor {
  TensorInfo info;
  const MappedFile* file = nullptr;
  bool is_taken = false;

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
};

class TensorDirectory {
 public:
  // Reads `model.safetensors`, or the shards that `model.safetensors.index.json` names. With both
  // present the single file counts, as in transformers.
  static Result<TensorDirectory> open(const std::string& directory, const TensorNaming& naming);

  bool has(const std::string& official_name) const;
  // The pointer stays valid as long as the directory. REQUIRES: not taken before.
  Result<const StoredTensor*> take(const std::string& official_name);
  // Takes the tensors whose official names begin so out of the directory: they are no part of the
  // model that is run. REQUIRES: none was taken.
  void leave_out(std::string_view prefix);
  // Fails when a tensor is left over.
  Status check_all_taken() const;

  uint64_t taken_bytes() const { return taken_bytes_; }
  // Official names, ascending.
  std::vector<std::pair<std::string, const StoredTensor*>> taken_by_name() const;

 private:
  TensorDirectory(std::string path, const TensorNaming& naming)
      : path_(std::move(path)), naming_(naming) {}

  static Result<TensorDirectory> open_single(const std::string& path, const TensorNaming& naming);
  static Result<TensorDirectory> open_shards(const std::string& directory,
                                             const TensorNaming& naming);
  Status add_file(const std::string& path);
  Status add_tensor(TensorInfo info, const MappedFile* file);
  Status check_index(const ShardMap& shard_of) const;

  std::string path_;  // of the single file or of the index
  TensorNaming naming_;
  std::vector<std::unique_ptr<MappedFile>> files_;
  std::vector<StoredTensor> tensors_;                 // in the order of files and headers
  std::unordered_map<std::string, size_t> index_of_;  // by official name
  uint64_t taken_bytes_ = 0;
};

}  // namespace kvasir
