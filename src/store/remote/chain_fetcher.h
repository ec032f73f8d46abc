// A ChainFetcher does what a Fetch asks for: it finds out which engine has the chain deepest, and
// brings it within the time that the tokens are worth.
//
// TIME. All of it takes half as long as computing the tokens would, or 50 ms where that is more.
// After 0.3 s of bringing it compares: if what is left would be computed before it has come, it
// gives up. So an engine that is slow costs at most half a computation, one that fails costs what
// its links' limits say, and one that its breaker keeps away costs nothing. One that is late is not
// waited for where the next one answers sooner (HedgeRule).
//
// It refers to the own store and the endpoints. Several threads may run it, each a Fetch.
#pragma once

#include <atomic>
#include <optional>
#include <span>
#include <stop_token>
#include <utility>
#include <vector>

#include "kvasir/remote.h"
#include "store/block_store.h"
#include "store/remote/depth_finder.h"
#include "store/remote/endpoint.h"
#include "store/remote/fetch.h"
#include "store/remote/negative_cache.h"
#include "store/remote/part_reader.h"
#include "store/remote/probe.h"

namespace kvasir::store::remote {

// A Source is an engine, and what it was just found not to have.
struct Source {
  Endpoint* endpoint;
  NegativeCache* negatives;
};

class ChainFetcher {
 public:
  // Engines that answer faster come first.
  ChainFetcher(BlockStore& own, std::vector<Source> sources, const ObjectNames& names,
               const Envelope& envelope)
      : own_(own), sources_(std::move(sources)), names_(names), envelope_(envelope) {}

  // Brings what it can, then finishes the Fetch.
  void run(Fetch& fetch);
  // Brings the blocks whole of which a Fetch has brought the first bytes. Nobody waits for it.
  void bring_rest(Fetch& fetch, const std::stop_token& stop);

  // What all fetches have counted so far.
  void add_to(RemoteMetrics& metrics) const;

 private:
  // One fetch under way.
  struct Run {
    Fetch& fetch;
    const Chain& chain;
    ChainForm form;
    int64_t blocks;  // how many of the chain's first ones the own store has, one after the other
    FetchReport report;
    Deadline deadline{};
    std::shared_ptr<LateBlocks> late;    // of blocks that do not come whole; null: they do
    std::vector<const Source*> sources;  // in the order in which they are asked
    Endpoint* endpoint = nullptr;        // of the one that is asked
    Endpoint* other = nullptr;           // of one that may have the same; null: none
  };

  Run begin(Fetch& fetch) const;
  DepthQuestion question_of(const Run& run) const;
  // Asks the source at that place, unless it was just found to have nothing more. A later one that
  // answers sooner changes places with it.
  std::optional<Depths> ask(Run& run, size_t place);
  // What an engine says that it has. That it has nothing more is remembered.
  static std::optional<Depths> depths_at(const DepthQuestion& question, const Source& source,
                                         const ProbeNow& probe);
  // The same at the next engine, while the one at that place is late.
  std::optional<Depths> hedge(Run& run, const DepthQuestion& question, size_t place,
                              const Probe& late);
  // The place of the next engine behind that one that is well. None: there is none.
  std::optional<size_t> place_behind(const Run& run, size_t place) const;
  void bring(Run& run, const Depths& depths);
  bool may_bring_heads(const Run& run) const;
  void bring_blocks(Run& run, int64_t to);
  // Returns whether more may come when it is asked for again: a request failed. What is missing or
  // wrong stays so.
  bool bring_some_blocks(Run& run, int64_t to);
  std::vector<Part> parts_of(const Run& run, int64_t to) const;
  // to: how many blocks of the chain are brought.
  PartReader::Other other_of(const Run& run, int64_t to) const;
  bool bring_state(Run& run, int64_t blocks);
  bool is_lost_race(const Run& run, const PartReader& reader, Deadline begun_at, int64_t to) const;
  // Takes a part into the own store. False: a byte of it is not right, or there is no room.
  bool take(Run& run, const PartReader::Arrived& arrived);
  bool take_head(Run& run, const PartReader::Arrived& arrived);
  bool put(Run& run, const PartRecord& record, std::span<const std::byte> payload);
  void go_past_what_is_here(Run& run) const;

  BlockStore& own_;
  const std::vector<Source> sources_;
  const ObjectNames& names_;
  const Envelope& envelope_;
  std::atomic<int64_t> lookups_ = 0, requested_tokens_ = 0, hit_tokens_ = 0, given_up_ = 0;
  std::atomic<int64_t> round_trips_ = 0, head_blocks_ = 0, late_pieces_ = 0;
};

}  // namespace kvasir::store::remote
