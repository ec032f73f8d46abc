#include "store/remote/chain_fetcher.h"

#include <algorithm>
#include <iterator>

namespace kvasir::store::remote {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kRaceAfter(300);
// Another engine is asked for what the first does not have if that is worth a round trip.
constexpr int64_t kBlocksWorthAsking = 8;
// Of those whose first bytes came before: few, because rows that are wanted wait behind them. From
// one on twice as many each time, since the first answer wants most rows.
constexpr int64_t kLateBlocksAtATime = 16;
constexpr std::chrono::seconds kLateTime(20);
constexpr int kLateTriesMax = 5;  // without a block in between

double seconds_between(Deadline from, Deadline to) {
  return std::chrono::duration<double>(to - from).count();
}

}  // namespace

void ChainFetcher::go_past_what_is_here(Run& run) const {
  while (run.blocks < run.chain.block_count() && own_.find(run.chain.block_id(run.blocks + 1))) {
    ++run.blocks;
  }
  // Where only first bytes came, the own store has a gap, and a hold behind it would hold nothing.
  if (run.blocks > 0 && !run.late) run.fetch.hold(own_, run.chain.key_at(run.blocks));
}

ChainFetcher::Run ChainFetcher::begin(Fetch& fetch) const {
  const Chain& chain = *fetch.wish().chain;
  return {.fetch = fetch,
          .chain = chain,
          .form = ChainForm(chain, names_, envelope_),
          .blocks = fetch.wish().have_blocks};
}

void ChainFetcher::run(Fetch& fetch) {
  const Chain& chain = *fetch.wish().chain;
  Run run = begin(fetch);
  run.report.blocks = fetch.wish().have_blocks;
  for (const Source& source : sources_) run.sources.push_back(&source);
  ++lookups_;
  requested_tokens_ += (chain.block_count() - run.report.blocks) * kRecordTokensMax;
  go_past_what_is_here(run);
  int64_t blocks_worth_asking = 1;
  for (size_t place = 0; place < run.sources.size(); ++place) {
    const int64_t left = chain.block_count() - run.report.blocks;
    if (run.report.gave_up || left < blocks_worth_asking) break;
    run.deadline = fetch.latest();
    const Source* asked = run.sources[place];
    const auto depths = ask(run, place);
    if (depths && depths->blocks > run.report.blocks) {
      const auto next = place_behind(run, place);
      run.endpoint = run.sources[place]->endpoint;
      run.other = next ? run.sources[*next]->endpoint : nullptr;
      bring(run, *depths);
    }
    const bool gave_what_it_has = depths && run.report.blocks >= depths->blocks;
    // Who answered sooner may have less than the one that was late and has not been heard.
    const bool was_heard = run.sources[place] == asked;
    if (gave_what_it_has && was_heard) blocks_worth_asking = kBlocksWorthAsking;
  }
  hit_tokens_ += (run.report.blocks - fetch.wish().have_blocks) * kRecordTokensMax;
  given_up_ += run.report.gave_up;
  round_trips_ += run.report.round_trips;
  fetch.finish(run.report);
}

// ---- asking ----

DepthQuestion ChainFetcher::question_of(const Run& run) const {
  const int64_t have = run.report.blocks;
  DepthQuestion question{&run.chain, &run.form, have, {}, {}};
  for (int64_t blocks = 1; blocks <= run.chain.block_count(); ++blocks) {
    question.block_here.push_back(blocks <= have || own_.find(run.chain.block_id(blocks)));
    question.state_here.push_back(blocks > have && own_.find(run.chain.state_id(blocks)));
  }
  return question;
}

std::optional<size_t> ChainFetcher::place_behind(const Run& run, size_t place) const {
  const Key& first_missing = run.chain.key_at(run.report.blocks + 1);
  while (++place < run.sources.size()) {
    const Source& source = *run.sources[place];
    if (source.endpoint->is_closed_off()) continue;
    if (!source.negatives->knows(first_missing, Clock::now())) return place;
  }
  return std::nullopt;
}

std::optional<Depths> ChainFetcher::ask(Run& run, size_t place) {
  const Source& source = *run.sources[place];
  const Key& first_missing = run.chain.key_at(run.report.blocks + 1);
  if (source.negatives->has(first_missing, Clock::now())) return Depths{run.report.blocks, {}};
  const DepthQuestion question = question_of(run);
  std::optional<Depths> sooner;  // of the one behind it
  const ProbeNow probe = [&](const std::vector<ObjectName>& names) {
    ++run.report.round_trips;
    const Probe late(*source.endpoint, names, run.deadline);
    if (late.patience()) {
      late.wait_until(std::min(run.deadline, Clock::now() + *late.patience()));
      if (!late.has_ended()) sooner = hedge(run, question, place, late);
      if (sooner) return std::optional<std::vector<bool>>();
    }
    late.wait_until(run.deadline);
    return late.answer();
  };
  const auto depths = depths_at(question, source, probe);
  return sooner ? sooner : depths;
}

// None: the one that is late has answered by now, or the other has nothing either.
std::optional<Depths> ChainFetcher::hedge(Run& run, const DepthQuestion& question, size_t place,
                                          const Probe& late) {
  const auto next = place_behind(run, place);
  HedgeRule& rule = run.sources[place]->endpoint->hedges();
  if (!next || !rule.take()) return std::nullopt;
  const Source& source = *run.sources[*next];
  const Deadline deadline = std::max(run.deadline, Clock::now() + kHedgeTime);
  const ProbeNow probe = [&](const std::vector<ObjectName>& names) {
    if (late.answer()) return std::optional<std::vector<bool>>();
    ++run.report.round_trips;
    const Probe other(*source.endpoint, names, deadline, late.bell());
    other.wait_until(run.deadline, &late);
    return other.answer();
  };
  const auto depths = depths_at(question, source, probe);
  if (!depths || depths->blocks == run.report.blocks) return std::nullopt;
  rule.won();
  std::swap(run.sources[place], run.sources[*next]);
  return depths;
}

std::optional<Depths> ChainFetcher::depths_at(const DepthQuestion& question, const Source& source,
                                              const ProbeNow& probe) {
  Endpoint& endpoint = *source.endpoint;
  const auto depths = endpoint.traits().is_packed
                          ? find_depths_in_packs(question, endpoint.connections(), probe)
                          : find_depths(question, probe);
  if (depths && depths->blocks == question.have_blocks) {
    source.negatives->remember(question.chain->key_at(question.have_blocks + 1), Clock::now());
  }
  return depths;
}

// ---- bringing ----

void ChainFetcher::bring(Run& run, const Depths& depths) {
  run.deadline = run.fetch.deadline_for(depths.blocks);
  if (may_bring_heads(run)) {
    // Half of the time is for the first bytes, half for rows that are wanted of the others.
    const auto share = (run.deadline - Clock::now()) / 2;
    run.deadline -= share;
    run.late = std::make_shared<LateBlocks>(*run.endpoint, names_, share, late_pieces_);
    run.fetch.set_late(run.late);
  }
  bring_blocks(run, depths.blocks);
  run.late = nullptr;
  if (!run.form.has_state()) {
    run.report.blocks = std::max(run.report.blocks, std::min(run.blocks, depths.blocks));
    return;
  }
  std::vector<int64_t> ends{depths.blocks};
  std::ranges::copy(depths.shallower, std::back_inserter(ends));
  for (const int64_t end : ends) {
    if (end <= run.report.blocks) return;
    if (end > run.blocks) continue;
    // Who gave up on the blocks still has what came of them, if their state comes soon.
    if (run.report.gave_up) run.deadline = Clock::now() + kPatienceMin;
    if (bring_state(run, end)) {
      run.report.blocks = end;
      return;
    }
  }
}

// A part of a sealed record proves nothing, and packs are read as one.
bool ChainFetcher::may_bring_heads(const Run& run) const {
  return run.fetch.wish().heads && !run.fetch.late() && !run.endpoint->traits().is_packed &&
         !envelope_.is_sealing();
}

std::vector<Part> ChainFetcher::parts_of(const Run& run, int64_t to) const {
  std::vector<Part> parts;
  int64_t blocks = run.blocks;
  while (blocks < to) {
    const int64_t pack_end = (blocks / kPackBlocks + 1) * kPackBlocks;
    if (run.endpoint->traits().is_packed && pack_end <= to) {
      parts.push_back(run.form.pack(pack_end, blocks));
      blocks = pack_end;
      continue;
    }
    ++blocks;
    if (own_.find(run.chain.block_id(blocks))) continue;
    parts.push_back(run.late ? run.form.head(blocks, run.fetch.wish().head_bytes)
                             : run.form.block(blocks));
  }
  return parts;
}

PartReader::Other ChainFetcher::other_of(const Run& run, int64_t to) const {
  // Where blocks come later than their heads, the one that gave the heads is to give the rest.
  if (run.other == nullptr || run.late) return {};
  const bool is_packed = run.other->traits().is_packed;
  const bool is_same = is_packed == run.endpoint->traits().is_packed;
  return {run.other, [&run, is_packed, is_same, to](std::span<const Part> parts) {
            if (is_same) return std::vector(parts.begin(), parts.end());
            return run.form.elsewhere(parts, is_packed, to);
          }};
}

bool ChainFetcher::is_lost_race(const Run& run, const PartReader& reader, Deadline begun_at,
                                int64_t to) const {
  const double passed_s = seconds_between(begun_at, Clock::now());
  if (passed_s < std::chrono::duration<double>(kRaceAfter).count()) return false;
  const double bytes_per_s = static_cast<double>(reader.bytes_arrived()) / passed_s;
  const double tokens_left = static_cast<double>((to - run.blocks) * kRecordTokensMax);
  return static_cast<double>(reader.bytes_left()) * run.fetch.wish().tokens_per_s >
         tokens_left * bytes_per_s;
}

// A request that fails leaves the others' records: from there it goes on, as long as it gets on.
void ChainFetcher::bring_blocks(Run& run, int64_t to) {
  int64_t before = -1;
  bool may_go_on = true;
  while (may_go_on && before < run.blocks && run.blocks < to) {
    before = run.blocks;
    may_go_on = bring_some_blocks(run, to);
  }
}

bool ChainFetcher::bring_some_blocks(Run& run, int64_t to) {
  const auto begun_at = Clock::now();
  PartReader reader(*run.endpoint, parts_of(run, to), run.deadline, other_of(run, to));
  bool has_failed = false;
  while (!reader.is_over() && !run.report.gave_up) {
    const auto arrived = reader.next(std::min(run.deadline, Clock::now() + milliseconds(50)));
    has_failed |= arrived && arrived->outcome == ReadOutcome::kUnknown;
    if (arrived && !take(run, *arrived) && !reader.turn_to_other()) break;
    run.report.gave_up =
        !reader.is_over() && (Clock::now() >= run.deadline || run.fetch.is_given_up() ||
                              is_lost_race(run, reader, begun_at, to));
  }
  run.report.round_trips += reader.rounds();
  return has_failed && !run.report.gave_up;
}

void ChainFetcher::bring_rest(Fetch& fetch, const std::stop_token& stop) {
  const auto late = fetch.late();
  Run run = begin(fetch);
  run.endpoint = &late->endpoint();
  const int64_t to = fetch.report().blocks;
  go_past_what_is_here(run);
  late->expect_rows();
  int64_t at_a_time = 1;
  for (int tries = 0; run.blocks < to && tries < kLateTriesMax; ++tries) {
    late->let_rows_pass(stop);
    if (stop.stop_requested() || late->is_given_up()) return;
    const int64_t before = run.blocks;
    run.deadline = Clock::now() + kLateTime;
    run.report.gave_up = false;
    const bool may_go_on = bring_some_blocks(run, std::min(before + at_a_time, to));
    at_a_time = std::min(2 * at_a_time, kLateBlocksAtATime);
    if (run.blocks > before) {
      tries = -1;
    } else if (!may_go_on && !run.report.gave_up) {
      return;
    }
  }
}

bool ChainFetcher::bring_state(Run& run, int64_t blocks) {
  if (own_.find(run.chain.state_id(blocks))) return true;
  PartReader reader(*run.endpoint, {run.form.state(blocks)}, run.deadline, other_of(run, blocks));
  bool is_here = false;
  do {
    const auto arrived = reader.next(run.deadline);
    if (!arrived) break;
    is_here = take(run, *arrived);
  } while (!is_here && reader.turn_to_other());
  run.report.round_trips += reader.rounds();
  return is_here;
}

bool ChainFetcher::take(Run& run, const PartReader::Arrived& arrived) {
  const Part& part = *arrived.part;
  Endpoint& from = *arrived.from;
  // Of the other one no probe has said that it is there.
  if (arrived.outcome == ReadOutcome::kMissing && &from == run.endpoint) from.count_missing(1);
  if (arrived.outcome == ReadOutcome::kWrongLength) from.report_wrong_bytes(part.object);
  if (arrived.outcome != ReadOutcome::kRead) return false;
  if (!part.is_whole && run.late) return take_head(run, arrived);
  for (const PartRecord& record : part.records) {
    const auto place =
        arrived.bytes.subspan(static_cast<size_t>(record.offset_bytes),
                              static_cast<size_t>(envelope_.bytes_of(record.wire.wire_bytes())));
    const auto bytes = envelope_.open(record.name, place);
    const auto payload = bytes ? payload_of_wire(record.wire, *bytes) : std::nullopt;
    if (!payload) {
      from.report_wrong_bytes(part.object);
      return false;
    }
    if (!put(run, record, *payload)) return false;
  }
  return true;
}

bool ChainFetcher::take_head(Run& run, const PartReader::Arrived& arrived) {
  const PartRecord& record = arrived.part->records[0];
  const FetchWish& wish = run.fetch.wish();
  auto head = head_of_wire(record.wire, arrived.bytes, wish.head_bytes);
  if (!head) {
    arrived.from->report_wrong_bytes(arrived.part->object);
    return false;
  }
  if (!wish.heads->take(head->payload, std::move(head->source), run.late)) return false;
  ++head_blocks_;
  run.blocks = std::max(run.blocks, record.blocks);
  go_past_what_is_here(run);
  return true;
}

bool ChainFetcher::put(Run& run, const PartRecord& record, std::span<const std::byte> payload) {
  const WireRecord& wire = record.wire;
  const auto outcome = own_.put({.id = wire.id,
                                 .parent = wire.parent,
                                 .model = run.chain.model,
                                 .token_begin = wire.token_begin,
                                 .tokens = wire.tokens},
                                payload);
  if (!outcome.ok() || *outcome == PutOutcome::kNoRoom) return false;
  if (wire.id.kind == Kind::kState) return true;
  run.blocks = std::max(run.blocks, record.blocks);
  run.fetch.hold(own_, wire.id.key);
  go_past_what_is_here(run);
  return true;
}

void ChainFetcher::add_to(RemoteMetrics& metrics) const {
  metrics.lookups = lookups_;
  metrics.requested_tokens = requested_tokens_;
  metrics.hit_tokens = hit_tokens_;
  metrics.given_up = given_up_;
  metrics.round_trips = round_trips_;
  metrics.head_blocks = head_blocks_;
  metrics.late_pieces = late_pieces_;
  for (const Source& source : sources_) metrics.negative_hits += source.negatives->hits();
}

}  // namespace kvasir::store::remote
