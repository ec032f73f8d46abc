// A CachePrecision is what a user says of a cache: how the rows of each kind are coded, in which
// layers. parse_precision reads it from text. Plain values; any thread.
//
//   SETTING {"," SETTING}
//   SETTING:  CODING | k=CODING | v=CODING | i=CODING | layers A-B=CODING | layers A-B.k=CODING
//   CODING:   native | a scheme (coding_schemes) with these around it:
//     smean-...        fixed means of keys, learnt beforehand, are taken out before they are coded
//     rot-...          vectors take the Hadamard transform before they are coded
//     ...-pre          keys are coded as they were before they were turned by position
//     ...-sink1        the first row of a sequence is kept in F16; -sink128: its first block
//
// k stands for keys and for latents, which are keys and values at once, v for values, i for index
// keys; none of these for all that the scheme is for, of which index keys are only where it is a
// row format. A setting for layers goes before one for all, and of equal ones the last counts. For
// example
//   kvarn4-sink1                                keys and values in four bits
//   k=kivi4-pre,v=int8,layers 0-1=bf16          the first two layers in BF16
//   k=nvfp4-row,i=sign-keys                     pooled rows and index keys, windows native
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kv/spec.h"
#include "kvasir/result.h"

namespace kvasir::kv {

// What a scheme is for.
enum class SchemeUse : uint8_t {
  kAll,
  kSingleRows,  // rows that are pooled or picked: read one by one, where blocks are coded elsewhere
  kIndexKeys,
};

// A CodingScheme names what users choose: a codec for keys and one for values.
struct CodingScheme {
  const char* name;
  const char* keys;    // a codec's name
  const char* values;  // a codec's name
  Rotation rotation;
  const char* what;
  SchemeUse use = SchemeUse::kAll;
};
// Row formats first, then by falling bits.
std::span<const CodingScheme> coding_schemes();

// A row of it is read as coded from the first token on.
bool is_row_format(const CodingScheme& scheme);
// Rows of a block share what they are coded with.
bool joins_rows(const CodingScheme& scheme);
// It codes with what is learnt of a model beforehand.
bool needs_learning(const CodingScheme& scheme);

// A Coding says how one stream is coded.
struct Coding {
  const CodingScheme* scheme = nullptr;  // null: as the model's makers fixed it
  bool is_centered = false;
  bool is_rotated = false;  // besides what the scheme does
  bool is_before_rope = false;
  int64_t whole_rows = 0;
};

struct CodingRule {
  std::optional<Role> role;  // none: keys and values
  int64_t first_layer = -1;  // -1: all layers
  int64_t last_layer = -1;
  Coding coding;
};

struct CachePrecision {
  std::vector<CodingRule> rules;

  // Returns what goes for the streams of that role in a layer.
  Coding coding_of(Role role, int64_t layer) const;
};

// Some of it is coded with what is learnt of a model beforehand.
bool needs_learning(const CachePrecision& precision);

// Error: the part of the text that says nothing.
Result<CachePrecision> parse_precision(std::string_view text);

// Error: a setting for layers beyond those that the model has.
Status check_layers(const CachePrecision& precision, int64_t layer_count);

// Codes a stream. One that cannot be coded so keeps its own codec where the coding is meant for
// others (windows beside blocks of rows); otherwise Error: why it makes no sense for it.
Result<Stream> coded_stream(Stream stream, const Coding& coding);

// Rows that are picked share one cache in memory. Error: their sizes differ by layer, or a block
// has rows besides that are kept whole.
Status check_picked_rows(const CacheSpec& spec);

}  // namespace kvasir::kv
