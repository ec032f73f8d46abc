// StudyOptions ask an engine for more than running the model as it is meant, to measure the cache:
// to hide rows from attention, to report which rows were picked or what rows a layer keeps, and to
// say what other codings would make of the rows.
//
// Plain values. The rows of a study are other rows, so a store keeps them apart from those of the
// model as it is meant.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "kvasir/pass_meter.h"
#include "kvasir/result.h"

namespace kvasir {

// VisibleRows are the compressed rows that attention may see. The whole cache is kept all the same;
// hiding a part shows what it is worth.
struct VisibleRows {
  bool picked = true;       // rows of layers whose indexer picks what a token attends
  bool unpicked = true;     // compressed rows that every later token attends
  int64_t index_top_k = 0;  // rows the indexer picks at most; 0: as the model's config says

  bool operator==(const VisibleRows&) const = default;
};

// A PickSink is called with the compressed rows that a token's query picked in a layer, ascending.
// All tokens of a pass come for one layer, then for the next. It is called on the engine's thread.
using PickSink =
    std::function<void(int64_t layer, int64_t position, std::span<const int32_t> rows)>;

// A CodedDistance says how far coded numbers are from exact ones. The relative error is the root
// of error_squares / exact_squares. Zeros: nothing was compared.
struct CodedDistance {
  double error_squares = 0;
  double exact_squares = 0;
};

// CodingErrors are what a coding would make of one layer's rows of a text.
struct CodingErrors {
  CodedDistance keys;      // of the complete blocks behind the first; or of latents
  CodedDistance values;    // the same; nothing where latents are values too
  CodedDistance attended;  // what heads attend, before the output projection
};

// A CodingSink is called for each layer of a pass with the errors of each coding, by its index in
// StudyOptions::codings. It is called on the engine's thread.
using CodingSink = std::function<void(size_t coding, int64_t layer, const CodingErrors& errors)>;

// What the rows of a stream are.
enum class RowKind : uint8_t {
  kKeysBeforeRope,  // as they were before they were turned by position
  kKeys,
  kValues,
  kLatents,
};

// LayerRows are the rows of one kind that a pass enters into a layer's cache, at full width.
struct LayerRows {
  int64_t layer = 0;
  RowKind kind = RowKind::kKeys;
  int64_t vectors = 0;          // of a row: one for each KV head
  int64_t width = 0;            // floats of a vector
  int64_t rope_width = 0;       // of latents: the last so many are turned by position
  std::span<const float> rows;  // [tokens, vectors, width]
};

// A RowSink is called in each layer of a pass with its rows, kind by kind, of streams that blocks
// hold. Rows of streams that are rotated come as they are rotated. An error ends the pass, and with
// it the session. It is called on the engine's thread.
using RowSink = std::function<Status(const LayerRows& rows)>;

struct StudyOptions {
  VisibleRows visible_rows;
  PickSink on_picks;  // may be empty
  RowSink on_rows;    // may be empty
  // Precisions (EngineOptions::kv) whose errors are measured beside the engine's own, on a pass
  // that begins a session and holds two blocks of tokens at least. The text is attended as a cache
  // of that precision would have it, in the 8th and 16th block, or in the last two complete ones of
  // shorter texts. Not on models whose indexer picks rows.
  std::vector<std::string> codings;
  CodingSink on_coding_errors;
  // What passes cost is counted there; null: nowhere. It changes no row, and outlives the engine.
  PassMeter* meter = nullptr;
};

}  // namespace kvasir
