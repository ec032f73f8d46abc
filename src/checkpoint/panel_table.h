// A PanelTable is the head of a panel file (docs/panel_format.md): which panels of which checkpoint
// lie where in it. Plain values, pure functions. What is read comes from outside.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/digest.h"
#include "kvasir/result.h"

namespace kvasir {

// Panels of one matrix: rows of a tensor.
struct PanelEntry {
  std::string tensor;  // its official name
  std::string type;    // as TensorInfo names it
  int64_t rows = 0;
  int64_t cols = 0;
  int64_t begin_bytes = 0;  // where the matrix begins in the tensor
  int64_t row_step = 1;     // as WeightMatrix has it
  int64_t panels_bytes = 0;
  int64_t offset_bytes = 0;  // of the panels, in the file
  Digest128 digest{};        // of them: panel_digest.h
};

struct PanelTable {
  Digest256 checkpoint{};  // what the panels were made of
  std::vector<PanelEntry> entries;
  int64_t file_bytes = 0;

  // Gives each its place in a file, and the file its length.
  void lay_out();
  // Whether the other describes the same panels at the same places, whatever their digests.
  bool is_same_but_digests(const PanelTable& other) const;
};

// The first bytes of the file. REQUIRES: laid out.
std::vector<std::byte> to_bytes(const PanelTable& table);

// How a file begins.
enum class PanelFileKind : uint8_t {
  kForeign,  // it is none
  kNewer,    // one of a later version
  kOurs,     // one of this version or an earlier one, whole or not
};
PanelFileKind panel_file_kind(std::span<const std::byte> file);

// `file`: all of it. Error: it is not a panel file of this version that is as long as it says, with
// panels that lie in it one after another.
Result<PanelTable> parse_panel_table(std::span<const std::byte> file, const std::string& path);

}  // namespace kvasir
