// A ReplayBook remembers what a model said in conversations, as the ids that were sampled. An
// assistant's message that a client sends back then goes to the model as those ids. Written anew
// from the message they would often be others, and all that was computed behind them lost: clients
// drop reasoning, write arguments anew, cut blanks.
//
// A turn is found by a name that the client has of it (the id of one of its calls, or what a reply
// gave it to send back), or by the ids before it. Either way the message has to show what the
// client was told, so a name is no way to what somebody else's model thought. Turns belong to a
// tenant and are found for no other.
//
// With a path the book outlives the process: each turn is appended to the file, and the oldest ones
// go when it is full. A second process that opens the same file reads it and keeps its own turns to
// itself. Any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kvasir/conversation.h"
#include "kvasir/result.h"

namespace kvasir {

// What was sampled for one turn.
struct SaidTurn {
  std::vector<int32_t> before;  // all ids before it; not empty
  std::vector<int32_t> ids;
  Message shown;                   // what the client was told: its texts, and its calls with ids
  std::vector<std::string> names;  // besides the ids of the calls
};

class ReplayBook {
 public:
  struct Options {
    std::string path;                       // empty: in memory alone
    bool read_only = false;                 // the file stays as it is
    int64_t bytes_max = int64_t{16} << 20;  // of what is remembered
  };

  // Errors: a file that cannot be read or written; one that is no such book, or a newer one: it is
  // left alone. A tail that was cut off by a crash is dropped.
  static Result<std::unique_ptr<ReplayBook>> open(const Options& options);
  ~ReplayBook();

  // Error: the file did not take it. It is remembered all the same.
  Status add(std::string_view tenant, const SaidTurn& turn);

  // Whether any turn of the tenant shows what this message does.
  bool knows(std::string_view tenant, const Message& message) const;
  // Whether a turn was told to the client in these very texts and arguments, byte by byte.
  bool told_so(std::string_view tenant, const Message& message) const;
  // Returns the ids of the turn that this message of an assistant was, of several the newest; none:
  // it is not known, shows something else, or another id opened it. before: all ids before it.
  // REQUIRES: there are some.
  std::optional<std::vector<int32_t>> find(std::string_view tenant, std::span<const int32_t> before,
                                           const Message& message) const;

  int64_t turn_count() const;

 private:
  struct State;
  explicit ReplayBook(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace kvasir
