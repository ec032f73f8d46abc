// A ConversationBook remembers the replies that a server gave: which session each belongs to, where
// in the store it ends and, where the client wants that, all that was said up to it. So a client
// can go on from a reply by its id, and a person sees whose caches lie in a store.
//
// With a path it outlives the process, also one that is killed; what a power failure takes of it is
// lost and nothing else. Replies belong to a tenant and are found for no other. When it is full the
// tenant that has the most loses its oldest ones. One process writes it. Any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kvasir/conversation.h"
#include "kvasir/result.h"

namespace kvasir {

struct KeptReply {
  std::string id;
  std::string session;      // as the client calls it; may be empty
  std::string key;          // of the last whole block, hex; empty: there is none
  int64_t token_count = 0;  // of all up to its end
  int64_t time_s = 0;       // since 1970
  std::string previous;     // id of the reply that it goes on from; may be empty
  // What came with the request, and the reply. Empty: not to be kept.
  std::vector<Message> messages;
};

class ConversationBook {
 public:
  struct Options {
    std::string path;  // empty: in memory alone
    bool read_only = false;
    int64_t bytes_max = int64_t{128} << 20;      // of the messages
    int64_t reply_bytes_max = int64_t{8} << 20;  // larger ones are not kept
  };

  // Errors: a file that cannot be read or written, or that another version made: it is left alone.
  // A damaged one is put aside and a new one begun.
  static Result<std::unique_ptr<ConversationBook>> open(const Options& options);
  ~ConversationBook();

  // It is found at once, and written on a thread of the book's own. Errors: it is too large, or too
  // many wait to be written (kNoRoom); an earlier one was not taken by the file.
  Status add(std::string_view tenant, KeptReply reply);

  // Whosever it is: for the person whose machine this is. Without its messages where it is written.
  std::optional<KeptReply> find_of_any(std::string_view id) const;
  // All that was said up to the end of that reply. None: something of it is not kept.
  std::optional<std::vector<Message>> conversation(std::string_view tenant,
                                                   std::string_view id) const;
  // Replies that have a session and a key, the newest first, without their messages.
  std::vector<KeptReply> sessions() const;

 private:
  struct State;
  explicit ConversationBook(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace kvasir
