// A remote tier keeps caches where several servers find them: Redis or Valkey as shared RAM, any
// S3-compatible store as shared disk. A prompt that one server computed goes on at any other with
// the same bits. It stands behind a server's own store: what it has is brought there first, and
// nobody waits for it longer than computing would take.
//
// These types say how it is opened and what it counted. All are plain values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "kvasir/histogram.h"

namespace kvasir {

struct RemoteOptions {
  // docs/cluster.md lists the forms: redis://host:6379, s3://bucket/prefix?endpoint=... Those that
  // answer faster come first. Empty: there is no remote tier.
  std::vector<std::string> urls;
  // A file that its owner alone may read. Servers with the same contents share caches; nobody else
  // can tell what they hold by its names. Empty: names tell who guesses a prompt that it is there.
  std::string secret_file;
  bool encrypts = false;  // needs a secret
  // A text is written once it has so many tokens that are not there yet, when it was computed a
  // second time, or when a request asks for it.
  int64_t new_tokens_min = 1024;
  // The engines may take half as long as computing would, and so many milliseconds in any case.
  int64_t patience_min_ms = 50;
};

enum class RemoteOperation : uint8_t { kProbe, kRead, kWrite, kTouch, kRemove, kList };
inline constexpr size_t kRemoteOperationCount = 6;
// "probe", "read", ...
const char* name_of(RemoteOperation operation);

struct RemoteEndpointMetrics {
  std::string label;           // its URL, without secrets and options
  bool is_closed_off = false;  // it failed, and is only tried now and then
  bool is_read_only = false;   // it is full, or failed to write: that is only tried now and then
  int64_t closed_off_count = 0;
  int64_t failures = 0;           // calls that the engine or the link failed
  int64_t deadline_exceeded = 0;  // calls that their time ended
  int64_t read_objects = 0;
  int64_t read_bytes = 0;
  int64_t written_objects = 0;
  int64_t written_bytes = 0;
  int64_t missing_objects = 0;     // that a probe had said were there
  int64_t wrong_bytes = 0;         // objects that were not what their names say; never used
  int64_t unreadable_objects = 0;  // that the engine had and failed to read
  int64_t full_answers = 0;        // writes that the engine had no room for, or could not make
  int64_t hedged_requests = 0;     // that were late, and that another engine was asked for, too
  int64_t won_hedges = 0;          // of these, those that the other's answer was used of
  int64_t queued_calls = 0;        // now
  std::array<Histogram, kRemoteOperationCount> seconds;
};

// A RemoteMetrics counts since the tier was opened.
struct RemoteMetrics {
  int64_t lookups = 0;
  int64_t requested_tokens = 0;  // of these, what the own store did not have
  int64_t hit_tokens = 0;        // of the requested ones, those that were brought
  int64_t negative_hits = 0;     // lookups that were spared: it was just found not to be there
  int64_t round_trips = 0;       // that these lookups waited for, one after the other
  int64_t given_up = 0;          // computing was faster, or the time was over
  int64_t head_blocks = 0;       // blocks whose hot part came before their rest
  int64_t late_pieces = 0;       // pages of their cold rows that were wanted before that came
  int64_t written_chains = 0;
  int64_t dropped_chains = 0;  // too many waited to be written
  int64_t queued_chains = 0;   // now
  std::vector<RemoteEndpointMetrics> endpoints;
};

// What of these only grows, under the names that people see.
template <class Metrics>
struct NamedCount {
  const char* name;
  int64_t Metrics::*count;
};
inline constexpr NamedCount<RemoteMetrics> kRemoteCounts[] = {
    {"lookups", &RemoteMetrics::lookups},
    {"requested_tokens", &RemoteMetrics::requested_tokens},
    {"hit_tokens", &RemoteMetrics::hit_tokens},
    {"negative_hits", &RemoteMetrics::negative_hits},
    {"round_trips", &RemoteMetrics::round_trips},
    {"given_up", &RemoteMetrics::given_up},
    {"head_blocks", &RemoteMetrics::head_blocks},
    {"late_pieces", &RemoteMetrics::late_pieces},
    {"written_chains", &RemoteMetrics::written_chains},
    {"dropped_chains", &RemoteMetrics::dropped_chains},
};
inline constexpr NamedCount<RemoteEndpointMetrics> kRemoteEndpointCounts[] = {
    {"closed_off_count", &RemoteEndpointMetrics::closed_off_count},
    {"failures", &RemoteEndpointMetrics::failures},
    {"deadline_exceeded", &RemoteEndpointMetrics::deadline_exceeded},
    {"read_objects", &RemoteEndpointMetrics::read_objects},
    {"read_bytes", &RemoteEndpointMetrics::read_bytes},
    {"written_objects", &RemoteEndpointMetrics::written_objects},
    {"written_bytes", &RemoteEndpointMetrics::written_bytes},
    {"missing_objects", &RemoteEndpointMetrics::missing_objects},
    {"wrong_bytes", &RemoteEndpointMetrics::wrong_bytes},
    {"unreadable_objects", &RemoteEndpointMetrics::unreadable_objects},
    {"full_answers", &RemoteEndpointMetrics::full_answers},
    {"hedged_requests", &RemoteEndpointMetrics::hedged_requests},
    {"won_hedges", &RemoteEndpointMetrics::won_hedges},
};

// A RemoteTotals sums what remote tiers behind one store have counted, over processes that have
// ended. Empty: there was none.
struct RemoteTotals {
  using Counts = std::map<std::string, int64_t>;  // by name: "hit_tokens", "probe_calls"
  Counts counts;
  std::map<std::string, Counts> endpoints;  // by label
};

}  // namespace kvasir
