// A RespReader reads answers of a Redis server (RESP2) from bytes as they arrive, in pieces of any
// size. The bytes are a stranger's: what an answer may hold is said beforehand, and nothing is kept
// or reserved beyond that. The bytes of a bulk string that was asked for go straight to the
// caller's memory. It owns the answer until that is taken. One thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "kvasir/result.h"

namespace kvasir::store::remote {

struct RespValue {
  enum class Kind : uint8_t {
    kNull,
    kText,   // of a line
    kError,  // `text`: its code, a blank, and words for people
    kInteger,
    kBulk,  // `text`, or in the caller's memory
    kArray,
  };
  Kind kind = Kind::kNull;
  std::string text;
  int64_t integer = 0;        // of kBulk: how many bytes it has, wherever they are
  bool is_in_memory = false;  // of kBulk: the caller's memory has them all
  std::vector<RespValue> elements;

  bool is(Kind wanted) const { return kind == wanted; }
  // "OOM" of "OOM command not allowed ...".
  std::string_view error_code() const;
};

struct RespLimits {
  int64_t text_bytes_max = 1024;  // of all texts and bulk strings that are kept, together
  int64_t elements_max = 0;       // of all arrays together
  int depth_max = 0;              // of arrays in one another
  // A bulk string of another length than the caller's memory is passed over up to here.
  int64_t passed_over_bytes_max = int64_t{4} << 20;
};

class RespReader {
 public:
  // Begins with the next answer. `into`: where its bytes go if it is a bulk string of just this
  // length; empty: bulk strings are kept as text. REQUIRES: `into` stays until it is done.
  void begin(const RespLimits& limits, std::span<std::byte> into);

  // Takes bytes of the answer; returns how many of them are its own. Error (kDamaged): they are no
  // RESP, or more than the limits allow. REQUIRES: not done, no error before.
  Result<size_t> take(std::span<const std::byte> bytes);
  // Where the next bytes may be received instead, then to be counted; empty: nowhere.
  std::span<std::byte> place() const;
  // REQUIRES: at most place().size().
  void received(size_t bytes);

  bool is_done() const { return state_ == State::kDone; }
  // REQUIRES: is_done(); or an error, after which it tells how long a bulk string is that was too
  // long to be passed over.
  RespValue& value() { return value_; }

 private:
  enum class State : uint8_t { kLine, kLineEnd, kBulk, kBulkEnd, kBulkLineFeed, kDone };
  struct OpenArray {
    RespValue* value;
    int64_t missing;
  };

  Status end_line();
  Status begin_bulk(int64_t bytes);
  Status begin_array(int64_t count);
  Status take_letter(char letter);
  size_t take_bulk(std::span<const std::byte> bytes);
  Status keep_text(int64_t bytes);
  RespValue& current();
  void end_value();

  RespLimits limits_;
  std::span<std::byte> into_;
  State state_ = State::kDone;
  RespValue value_;
  // The arrays that are not whole, the innermost last. Only the innermost grows, so pointers stay.
  std::vector<OpenArray> open_;
  std::string line_;
  int64_t bulk_left_bytes_ = 0;
  int64_t text_bytes_ = 0;
  int64_t elements_ = 0;
};

}  // namespace kvasir::store::remote
