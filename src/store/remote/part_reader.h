// A PartReader reads parts of chains from one endpoint, several at a time, and hands them out in
// their order. It asks for two requests' bytes beforehand, and for more where they come faster:
// what arrives in 0.1 s, so that on a slow link no request waits behind the others for its first
// byte. One thread; the endpoint must outlive it, and may go on with requests after it.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
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

  PartReader(Endpoint& endpoint, std::vector<Part> parts, Deadline deadline);

  // The next part with its bytes; the outcome says whether they are there. None: there is no more,
  // or `until` came first (is_over() tells). The bytes stay until the call after it.
  struct Arrived {
    const Part* part;
    ReadOutcome outcome;
    std::span<std::byte> bytes;
  };
  std::optional<Arrived> next(Deadline until);
  bool is_over() const { return next_part_ == parts_.size(); }

  int64_t bytes_arrived() const;
  int64_t bytes_left() const;
  int64_t rounds() const { return rounds_; }

 private:
  struct Request {
    size_t begin = 0, end = 0;  // of parts
    int64_t bytes = 0;
    std::shared_ptr<ReadBatch> batch;
  };
  // What requests tell when they end, which may be after the reader has gone.
  struct Endings {
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<bool> has_ended;  // [requests]
    int64_t bytes_arrived = 0;
  };

  void cut_into_requests();
  static bool takes_more(const Request& request, size_t next_part, int64_t bytes);
  int64_t window_bytes() const;
  void begin_requests();
  void begin(size_t index);

  Endpoint& endpoint_;
  std::vector<Part> parts_;
  Deadline deadline_;
  Deadline begun_at_ = Clock::now();
  std::vector<Request> requests_;
  std::shared_ptr<Endings> endings_;
  size_t begun_ = 0;         // requests
  int64_t bytes_begun_ = 0;  // of those that were begun and not handed out
  size_t next_request_ = 0;
  size_t next_part_ = 0;
  int64_t bytes_total_ = 0;
  int64_t rounds_ = 0;
};

}  // namespace kvasir::store::remote
