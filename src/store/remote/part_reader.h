// A PartReader reads parts of chains from one endpoint, several at a time, and hands them out in
// their order. It asks for two requests' bytes beforehand, and for more where they come faster:
// what arrives in 0.1 s, so that on a slow link no request waits behind the others for its first
// byte.
//
// HEDGING. Where another engine may have the same, and a request is late (HedgeRule), that one is
// asked too. The first who has all that was asked for is heard; if that turns out to be wrong, the
// other is. What comes second is dropped.
//
// One thread; the endpoints must outlive it, and may go on with requests after it.
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "store/remote/endpoint.h"
#include "store/remote/parts.h"

namespace kvasir::store::remote {

class PartReader {
 public:
  // Reads so many parts, more where they are small, and so many bytes with one request at most, and
  // so many bytes at a time in all.
  static constexpr size_t kPartsPerRequest = 8;
  static constexpr int64_t kBytesOfSmallParts = int64_t{256} << 10;
  static constexpr int64_t kBytesPerRequest = int64_t{4} << 20;
  static constexpr int64_t kBytesAtATime = int64_t{64} << 20;

  // Another engine that may have the same.
  struct Other {
    Endpoint* endpoint = nullptr;  // null: there is none
    // The records of these parts as they lie there.
    std::function<std::vector<Part>(std::span<const Part>)> parts_of;
  };

  PartReader(Endpoint& endpoint, std::vector<Part> parts, Deadline deadline, Other other);
  ~PartReader();
  PartReader(const PartReader&) = delete;
  PartReader& operator=(const PartReader&) = delete;

  // The next part with its bytes; the outcome says whether they are there. None: there is no more,
  // or `until` came first (is_over() tells). The bytes stay until the call after it.
  struct Arrived {
    const Part* part;
    ReadOutcome outcome;
    std::span<std::byte> bytes;
    Endpoint* from;
  };
  std::optional<Arrived> next(Deadline until);
  // The part that came last is none that can be used. Returns whether another engine was asked for
  // it: then it comes again, from there.
  bool turn_to_other();
  bool is_over() const;

  int64_t bytes_arrived() const;
  int64_t bytes_left() const;
  int64_t rounds() const { return rounds_; }

 private:
  // What one engine is asked for with one call.
  struct Copy {
    std::vector<Part> parts;
    std::shared_ptr<ReadBatch> batch;  // null: it is not asked
    bool is_refused = false;
  };
  struct Request {
    std::array<Copy, 2> copies;  // of the engine, and of the other one
    int64_t bytes = 0;
    std::optional<Deadline> hedge_at;
    size_t heard = 0;  // the copy that parts come from
  };
  enum class Ending : uint8_t { kNone, kAll, kNotAll };
  // What requests tell when they end, which may be after the reader has gone.
  struct Endings {
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<std::array<Ending, 2>> of_copies;  // [requests]
    std::vector<bool> has_arrived;                 // [requests]
    int64_t bytes_arrived = 0;
  };

  void cut_into_requests(std::vector<Part> parts);
  static bool takes_more(const Request& request, int64_t bytes);
  int64_t window_bytes() const;
  void begin_requests();
  void begin(size_t index);
  void read(Endpoint& endpoint, size_t index, size_t copy, Deadline deadline);
  void hedge(Request& request);
  std::optional<size_t> heard_of(const Request& request) const;
  bool wait_for(Request& request, Deadline until);
  void close(Request& request);

  Endpoint& endpoint_;
  Other other_;
  bool may_hedge_;
  Deadline deadline_;
  Deadline begun_at_ = Clock::now();
  std::vector<Request> requests_;
  std::shared_ptr<Endings> endings_;
  size_t begun_ = 0;         // requests
  int64_t bytes_begun_ = 0;  // of those that were begun and not handed out
  size_t next_request_ = 0;
  size_t next_part_ = 0;  // of it
  int64_t bytes_total_ = 0;
  int64_t rounds_ = 0;
};

}  // namespace kvasir::store::remote
