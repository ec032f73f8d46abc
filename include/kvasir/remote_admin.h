// A RemoteAdmin is for the person who looks after an engine that several servers share: it says
// what lies there, checks it and deletes it. It needs no store.
//
// It sees what its group wrote. Objects of others, who have another secret, cannot be read or
// named; they are counted and left alone. Every call reads names of all objects first, and needs
// memory for these and for what is told of them; bytes are read a few megabytes, or one object, at
// a time. An engine that does not answer, or of a cluster one server, is an Error that names it. It
// owns one connection. One thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kvasir/remote.h"
#include "kvasir/result.h"
#include "kvasir/store.h"

namespace kvasir {

struct RemoteObjects {
  int64_t count = 0;
  int64_t bytes = 0;
};

struct RemoteSummary {
  std::string version;        // "Redis 7.0.15"; empty: it does not say
  int64_t used_bytes = -1;    // -1: it does not say
  int64_t limit_bytes = -1;   // 0: none is set
  std::vector<Error> advice;  // settings with which it serves badly, and how they should be
  // By name, so those of others too.
  RemoteObjects blocks;
  RemoteObjects states;
  RemoteObjects packs;  // of 32 blocks each
};

// A RemoteRun is a stretch of tokens, up to where another text branches off or to an end.
struct RemoteRun {
  std::string key;     // hex; names all tokens up to token_end
  std::string parent;  // what this one continues; empty: it begins at token 0, or that is not there
  std::string model;   // fingerprint, hex
  int64_t token_begin = 0;
  int64_t token_end = 0;
  int64_t bytes = 0;            // of its records, each counted once
  std::vector<int64_t> states;  // positions that a session can continue from
  int64_t written_s = 0;        // the newest of it; seconds since 1970
};

struct RemoteListing {
  std::vector<RemoteRun> runs;  // parents before what continues them
  RemoteObjects foreign;        // of others
  RemoteObjects wrong;          // that nobody can use; verify() names them
  RemoteObjects unreadable;     // that the engine fails to read; verify() names them
};

// A RemoteChoice says what is to be removed: what fits all of it.
struct RemoteChoice {
  // Everything of the group's, and what nobody can use.
  bool all = false;
  // What was not written, nor anything that continues it, since that time; seconds since 1970.
  std::optional<int64_t> written_before_s;
  std::string model;  // fingerprint, hex, or enough of it
};

// A RemoteRemoval says what became of objects that were to be removed at one engine.
struct RemoteRemoval {
  std::string label;  // of the engine
  RemoteObjects removed;
  int64_t left_objects = 0;  // may still be there
  std::string reason;        // why
  RemoteObjects foreign;     // of others, left alone; only where objects were read to choose
};

struct RemoteName {
  std::string name;  // "b/3fa0...": kind and hash, hex
  int64_t bytes = 0;
};

struct RemoteFault {
  std::string name;  // as RemoteName's
  int64_t bytes = 0;
  std::string expected;
  std::string found;
};

struct RemoteCheck {
  RemoteObjects right;
  RemoteObjects foreign;  // of others, or so damaged that the secret does not open them
  std::vector<RemoteFault> wrong;
  // That the engine fails to read now. They may be whole, and anybody's.
  std::vector<RemoteName> unreadable;
  std::optional<RemoteRemoval> repair;  // what became of the wrong ones, where it was asked for
  bool is_whole = true;                 // false: `progress` stopped it
};

class RemoteAdmin {
 public:
  // Opens one for every URL; nobody is asked yet. Error: a URL or the file of the secret (kUsage),
  // as RemoteOptions says, or no URL.
  static Result<std::vector<RemoteAdmin>> open(const RemoteOptions& options);

  struct State;
  explicit RemoteAdmin(std::unique_ptr<State> state);
  RemoteAdmin(RemoteAdmin&&) noexcept;
  RemoteAdmin& operator=(RemoteAdmin&&) noexcept;
  ~RemoteAdmin();

  // The engine's URL, without secrets and options.
  const std::string& label() const;

  Result<RemoteSummary> summary();
  // Reads the header of every record; of encrypted ones all bytes.
  Result<RemoteListing> list();
  // Reads as list() does, then removes what was chosen. Error: it could not be read; a fingerprint
  // that is none; a time, where objects that cannot be read may continue what is old. What could
  // not be removed, or not be read to choose, is in the answer.
  Result<RemoteRemoval> remove(const RemoteChoice& choice);
  // Reads every byte. Checks of each object that its records are those that their headers describe,
  // that their keys are those of their tokens, and that it has the name of these. With `repair`
  // wrong ones are removed, and unreadable ones left.
  Result<RemoteCheck> verify(bool repair, const StoreProgress& progress = {});

 private:
  std::unique_ptr<State> state_;
};

}  // namespace kvasir
