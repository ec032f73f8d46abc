#include "checkpoint/panel_file.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <system_error>
#include <vector>

#include "base/check.h"
#include "base/new_file.h"
#include "base/system_error.h"
#include "base/thread_pool.h"
#include "checkpoint/panel_pieces.h"
#include "checkpoint/shard_index.h"
#include "checkpoint/tensor_digest.h"
#include "kernels/panels.h"

namespace kvasir {
namespace {

using kernels::WeightMatrix;
using Matrices = std::span<const WeightMatrix>;
namespace fs = std::filesystem;

constexpr size_t kNameBytesMax = 100;

std::string text_of(const std::error_code& error) { return error.message(); }

// ---- what is wanted -----------------------------------------------------------------------------

// Weights that are the same bytes in files that were not touched.
Digest256 checkpoint_digest(const TensorDirectory& tensors) {
  Sha256 hash;
  hash.add_text("kvasir panels");
  for (const auto& file : tensors.files())
    hash.add_value(file->bytes().size()).add_value(file->changed_at_ns());
  add_tensors(hash, tensors);
  return hash.finish();
}

// Finds tensors by where they are mapped.
class TensorsByPlace {
 public:
  explicit TensorsByPlace(const TensorDirectory& tensors) {
    for (auto& [name, tensor] : tensors.taken_by_name())
      places_.push_back({tensor->bytes(), std::move(name), tensor->info.dtype_name});
    std::sort(places_.begin(), places_.end(), [](const Place& a, const Place& b) {
      return std::less<>()(a.bytes.data(), b.bytes.data());
    });
  }

  PanelEntry entry_of(const WeightMatrix& matrix) const {
    const auto behind = std::upper_bound(
        places_.begin(), places_.end(), matrix.data,
        [](const std::byte* data, const Place& p) { return std::less<>()(data, p.bytes.data()); });
    KVASIR_CHECK(behind != places_.begin(), "a matrix is rows of a tensor");
    const Place& place = *std::prev(behind);
    const int64_t begin = matrix.data - place.bytes.data();
    KVASIR_CHECK(begin < std::ssize(place.bytes), "a matrix is rows of a tensor");
    return {.tensor = place.name,
            .type = std::string(place.type),
            .rows = matrix.rows,
            .cols = matrix.cols,
            .begin_bytes = begin,
            .row_step = matrix.row_step,
            .panels_bytes = kernels::panels_bytes(matrix)};
  }

 private:
  struct Place {
    std::span<const std::byte> bytes;
    std::string name;
    std::string_view type;
  };
  std::vector<Place> places_;
};

PanelTable wanted_table(const TensorDirectory& tensors, Matrices matrices) {
  PanelTable table{.checkpoint = checkpoint_digest(tensors)};
  const TensorsByPlace places(tensors);
  for (const WeightMatrix& matrix : matrices) table.entries.push_back(places.entry_of(matrix));
  table.lay_out();
  return table;
}

// ---- reading ------------------------------------------------------------------------------------

void set_digests(std::span<const PanelPiece> pieces, std::span<const Digest128> of_pieces,
                 PanelTable& table) {
  const std::vector<Digest128> digests = panel_digests(pieces, of_pieces);
  KVASIR_CHECK(digests.size() == table.entries.size(), "a digest for each matrix");
  for (size_t i = 0; i < digests.size(); ++i) table.entries[i].digest = digests[i];
}

bool has_its_digests(const PanelTable& table, const MappedFile& file, Matrices matrices,
                     ThreadPool& pool) {
  const std::vector<PanelPiece> pieces = panel_pieces(matrices);
  std::vector<Digest128> digests(pieces.size());
  pool.parallel_for(std::ssize(pieces), [&](int64_t index, int) {
    const PanelPiece& piece = pieces[static_cast<size_t>(index)];
    const int64_t offset = table.entries[piece.matrix].offset_bytes + piece.offset_bytes;
    digests[static_cast<size_t>(index)] = xxh3_128(
        file.bytes().subspan(static_cast<size_t>(offset), static_cast<size_t>(piece.bytes)));
  });
  PanelTable found = table;
  set_digests(pieces, digests, found);
  return std::equal(table.entries.begin(), table.entries.end(), found.entries.begin(),
                    [](const PanelEntry& a, const PanelEntry& b) { return a.digest == b.digest; });
}

Error not_to_be_replaced(const MappedFile& file, PanelFileKind kind) {
  const bool is_newer = kind == PanelFileKind::kNewer;
  return {.kind = ErrorKind::kUnsupported,
          .what = is_newer ? "a panel file of a newer version" : "something else lies there",
          .where = file.path(),
          .expected = "panels in the form of this version, or nothing",
          .remedy = "name another folder, or delete the file"};
}

// The table of a file that is the one wanted, with its digests; none: it is to be written anew.
std::optional<PanelTable> right_table(const PanelTable& wanted, const MappedFile& file,
                                      Matrices matrices, ThreadPool& pool) {
  Result<PanelTable> found = parse_panel_table(file.bytes(), file.path());
  if (!found || !found->is_same_but_digests(wanted)) return std::nullopt;
  if (!has_its_digests(*found, file, matrices, pool)) return std::nullopt;
  return std::move(found).value();
}

// ---- writing ------------------------------------------------------------------------------------

Status make_folder(const std::string& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (!error) return ok_status();
  return Error{.kind = kind_of_errno(error.value()),
               .what = "cannot make the folder for panels",
               .where = folder,
               .found = text_of(error)};
}

// Packs all panels into their places and notes their digests.
Status write_panels(const NewFile& file, Matrices matrices, ThreadPool& pool, PanelTable& table) {
  const std::vector<PanelPiece> pieces = panel_pieces(matrices);
  std::vector<Digest128> digests(pieces.size());
  int64_t bytes_max = 0;
  for (const PanelPiece& piece : pieces) bytes_max = std::max(bytes_max, piece.bytes);
  const std::vector<std::byte> none(static_cast<size_t>(bytes_max));
  std::vector<std::vector<std::byte>> buffers(static_cast<size_t>(pool.thread_count()), none);
  std::mutex mutex;
  std::optional<Error> failure;
  std::atomic<bool> has_failed = false;
  pool.parallel_for(std::ssize(pieces), [&](int64_t index, int worker) {
    if (has_failed) return;
    const PanelPiece& piece = pieces[static_cast<size_t>(index)];
    std::vector<std::byte>& buffer = buffers[static_cast<size_t>(worker)];
    pack_piece(matrices[piece.matrix], piece, reinterpret_cast<uint8_t*>(buffer.data()));
    const auto bytes = std::span<const std::byte>(buffer).first(static_cast<size_t>(piece.bytes));
    digests[static_cast<size_t>(index)] = xxh3_128(bytes);
    const Status written =
        file.write(table.entries[piece.matrix].offset_bytes + piece.offset_bytes, bytes);
    if (written.ok()) return;
    const std::lock_guard lock(mutex);
    if (!failure) failure = written.error();
    has_failed = true;
  });
  if (failure) return *std::move(failure);
  set_digests(pieces, digests, table);
  return ok_status();
}

// No wait for the device: whoever opens the file compares digests.
Status write_file(const std::string& path, PanelTable table, Matrices matrices, ThreadPool& pool) {
  remove_left_behind(path);
  KVASIR_ASSIGN_OR_RETURN(NewFile file, NewFile::begin(path, masked(0666)));
  KVASIR_RETURN_IF_ERROR(file.reserve(table.file_bytes));
  KVASIR_RETURN_IF_ERROR(write_panels(file, matrices, pool, table));
  KVASIR_RETURN_IF_ERROR(file.write(0, to_bytes(table)));
  return file.finish();
}

}  // namespace

Result<PanelFile> PanelFile::open(const std::string& folder, const TensorDirectory& tensors,
                                  Matrices matrices, int thread_count) {
  const std::string path = panel_path(folder, tensors.path());
  const PanelTable wanted = wanted_table(tensors, matrices);
  ThreadPool pool(thread_count);
  for (const bool is_written : {false, true}) {
    auto file = MappedFile::open(path);
    if (file.ok()) {
      const PanelFileKind kind = panel_file_kind((*file)->bytes());
      if (kind != PanelFileKind::kOurs) return not_to_be_replaced(**file, kind);
      if (auto table = right_table(wanted, **file, matrices, pool))
        return PanelFile(std::move(file).value(), *std::move(table));
    } else if (is_written || file.error().kind != ErrorKind::kNotFound) {
      return std::move(file).error();
    }
    if (is_written) break;
    KVASIR_RETURN_IF_ERROR(make_folder(folder));
    KVASIR_RETURN_IF_ERROR(write_file(path, wanted, matrices, pool));
  }
  return Error{.kind = ErrorKind::kDamaged,
               .what = "a panel file reads otherwise than it was written",
               .where = path};
}

int64_t PanelFile::panels_bytes() const {
  int64_t bytes = 0;
  for (const PanelEntry& entry : table_.entries) bytes += entry.panels_bytes;
  return bytes;
}

std::string panel_path(const std::string& folder, const std::string& checkpoint_path) {
  // A link in there has its own name, as model caches are built of links.
  const fs::path given(checkpoint_path);
  std::error_code error;
  const fs::path place =
      fs::weakly_canonical(given.has_parent_path() ? given.parent_path() : fs::path("."), error) /
      given.filename();
  // Of safetensors the folder says which model it is.
  const fs::path named =
      place.extension() == ".gguf" ? place.stem() : place.parent_path().filename();
  const Digest256 digest = Sha256().add_text(place.string()).finish();
  return (fs::path(folder) /
          (named.string().substr(0, kNameBytesMax) + "-" + to_hex(digest).substr(0, 16) + ".kvp"))
      .string();
}

}  // namespace kvasir
