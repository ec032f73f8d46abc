// How caches can be coded, and what they take. Plain values; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kvasir/result.h"

namespace kvasir {

// A CacheCoding is one of the ways in which EngineOptions::kv says that rows are coded.
struct CacheCoding {
  std::string name;
  std::string what;             // in a few words
  bool is_row_format = false;   // a row is read as coded from the first token on
  bool joins_rows = false;      // rows of a block share what they are coded with
  bool is_for_some = false;     // for rows read one by one, or for index keys alone
  bool needs_learning = false;  // what is learnt of a model beforehand (EngineOptions::kv_data)
};
// Returns all of them, row formats first, then by falling bits.
std::vector<CacheCoding> cache_codings();
// Error: text that EngineOptions::kv takes of no model. Of others it hangs on the model.
Status check_precision(std::string_view kv);

// A CacheSize says what the cache of a session takes.
struct CacheSize {
  int64_t block_tokens = 0;
  int64_t block_bytes = 0;   // of so many consecutive tokens, all layers
  int64_t block_values = 0;  // numbers of theirs that it holds
  int64_t whole_bytes = 0;   // first rows that are kept besides; once there are tokens
  int64_t fixed_bytes = 0;   // however short the session is

  // Of a session of that many tokens.
  int64_t bytes(int64_t token_count) const;
  // Of a value in a block; 0: there are none.
  double bits() const;
};

}  // namespace kvasir
