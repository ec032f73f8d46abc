// A CacheSpec lists what a model remembers of its tokens, as a table of streams. A family makes it
// from its config. Planner, allocator, file format and prefix keys read this one table. Plain
// values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "kernels/codecs/codec.h"

namespace kvasir::kv {

// A Role says what the vectors of a stream are.
enum class Role : uint8_t {
  kKeys,       // of attention heads
  kValues,     // of attention heads
  kLatents,    // one vector that is key and value of all heads, or from which both are computed
  kIndexKeys,  // scored by an indexer, never attended
};

// A Reach says how later tokens use the rows of a stream.
enum class Reach : uint8_t {
  kAll,     // every row is read: hot
  kPicked,  // rows that an indexer chose are read: cold
  kWindow,  // the newest window_tokens rows are read: a ring, in no block
};

// A Rotation turns every vector of a stream before it is coded, and with it the queries: products
// and sums stay what they were. It spreads what few channels hold over all of them.
enum class Rotation : uint8_t {
  kNone,
  kHadamard,        // in blocks of the largest power of two that divides the width
  kSignedHadamard,  // the same behind a change of signs that is fixed for all
};

// A StreamSide is what a stream's coding reads besides its rows: learnt of the model beforehand,
// the same for all its sequences, and so a part of prefix keys.
struct StreamSide {
  std::vector<float> means;  // [vectors, width] taken out of rows before they are coded, or none
  std::vector<std::byte> codec;  // [vectors, codec.side_bytes()]
};

// A Stream is one kind of row that a layer remembers. Examples, for a layer of 8 KV heads of 128:
//   GQA:  {kKeys, vectors 8, width 128} and {kValues, vectors 8, width 128}
//   MLA:  {kLatents, width 576, rope_width 64}
//   pooled rows of 4 tokens that an indexer picks from:
//         {kLatents, kPicked, tokens_per_row 4, width 512, rope_width 64, overlaps}
struct Stream {
  Role role = Role::kLatents;
  Reach reach = Reach::kAll;
  int64_t tokens_per_row = 1;  // more than 1: values and gates of so many tokens are pooled
  bool overlaps = false;       // a row pools the tokens of the row before it too
  int64_t vectors = 1;         // of a row: one for each KV head
  int64_t width = 0;           // floats of a vector
  int64_t rope_width = 0;      // of these, rotated by position
  int64_t window_tokens = 0;   // with reach kWindow
  bool is_chunked = false;     // a window that begins anew at multiples of window_tokens
  kernels::CodecId codec = kernels::CodecId::kBf16;
  // Of codecs that are no row formats:
  Rotation rotation = Rotation::kNone;
  bool is_before_rope = false;  // rows are kept as they were before they were turned by position
  int64_t whole_rows = 0;       // the first so many rows of a sequence are kept in F16
  bool is_centered = false;     // fixed means are taken out of rows before they are coded
  // Null: its coding takes none, or sizes alone are asked for (kv/side.h).
  std::shared_ptr<const StreamSide> side = nullptr;

  bool operator==(const Stream&) const = default;
};

// A State is what a recurrent layer keeps of a sequence, however long that is. `shares` are the
// heads, groups or channels that it divides into.
struct State {
  int64_t values = 0;
  int64_t shares = 1;
  bool is_convolution = false;

  bool operator==(const State&) const = default;
};

// A Layer lists the streams and states of one layer of the model.
struct Layer {
  std::vector<Stream> streams;
  std::vector<State> states;
  int64_t source_layer = -1;  // this layer reads the streams of that one; -1: its own
  bool is_draft = false;      // only speculative decoding runs it
};

struct CacheSpec {
  std::vector<Layer> layers;
};

}  // namespace kvasir::kv
