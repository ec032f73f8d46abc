#include "store/remote/part_reader.h"

#include <algorithm>
#include <utility>

namespace kvasir::store::remote {
namespace {

constexpr size_t kRequestsMin = 2;
constexpr double kWindowS = 0.1;
constexpr size_t kFirst = 0, kOther = 1;  // copies

}  // namespace

PartReader::PartReader(Endpoint& endpoint, std::vector<Part> parts, Deadline deadline, Other other)
    : endpoint_(endpoint),
      other_(std::move(other)),
      may_hedge_(other_.endpoint != nullptr),
      deadline_(deadline),
      endings_(std::make_shared<Endings>()) {
  cut_into_requests(std::move(parts));
  endings_->of_copies.resize(requests_.size());
  endings_->has_arrived.resize(requests_.size());
  begin_requests();
}

PartReader::~PartReader() {
  if (next_request_ < requests_.size()) close(requests_[next_request_]);
}

void PartReader::cut_into_requests(std::vector<Part> parts) {
  for (Part& part : parts) {
    bytes_total_ += part.bytes;
    if (requests_.empty() || !takes_more(requests_.back(), part.bytes)) requests_.emplace_back();
    requests_.back().bytes += part.bytes;
    requests_.back().copies[kFirst].parts.push_back(std::move(part));
  }
}

bool PartReader::takes_more(const Request& request, int64_t bytes) {
  const bool is_short = request.copies[kFirst].parts.size() < kPartsPerRequest;
  return request.bytes + bytes <= (is_short ? kBytesPerRequest : kBytesOfSmallParts);
}

int64_t PartReader::window_bytes() const {
  const std::chrono::duration<double> passed = Clock::now() - begun_at_;
  const double bytes_per_s = static_cast<double>(bytes_arrived()) / std::max(passed.count(), 1e-6);
  return static_cast<int64_t>(std::min(bytes_per_s * kWindowS, static_cast<double>(kBytesAtATime)));
}

void PartReader::begin_requests() {
  const auto width = static_cast<size_t>(endpoint_.connections());
  while (begun_ < requests_.size() && begun_ - next_request_ < width &&
         (begun_ - next_request_ < kRequestsMin ||
          bytes_begun_ + requests_[begun_].bytes <= window_bytes())) {
    begin(begun_++);
  }
}

void PartReader::begin(size_t index) {
  Request& request = requests_[index];
  bytes_begun_ += request.bytes;
  const auto patience = endpoint_.hedges().begin(HedgeRule::Kind::kRead, request.bytes);
  if (patience) request.hedge_at = Clock::now() + *patience;
  read(endpoint_, index, kFirst, deadline_);
}

void PartReader::read(Endpoint& endpoint, size_t index, size_t copy, Deadline deadline) {
  Copy& asked = requests_[index].copies[copy];
  int64_t bytes = 0;
  for (const Part& part : asked.parts) bytes += part.bytes;
  const auto batch = asked.batch = std::make_shared<ReadBatch>();
  batch->memory = AlignedBuffer<std::byte>(bytes, Fill::kNothing);
  const auto end = [endings = endings_, index, copy, bytes, batch, &endpoint,
                    begun_at = Clock::now()](const Status& status) {
    const bool has_all =
        status.ok() && std::ranges::all_of(batch->reads, [](const ObjectRead& read) {
          return read.outcome == ReadOutcome::kRead;
        });
    if (has_all) {
      endpoint.hedges().answered(HedgeRule::Kind::kRead, bytes, Clock::now() - begun_at);
    }
    const std::lock_guard lock(endings->mutex);
    endings->of_copies[index][copy] = has_all ? Ending::kAll : Ending::kNotAll;
    if (has_all && !endings->has_arrived[index]) {
      endings->has_arrived[index] = true;
      endings->bytes_arrived += bytes;
    }
    endings->changed.notify_all();
  };
  // Without memory nothing is read, and the chain ends here.
  if (batch->memory.failed()) return end(Error{.kind = ErrorKind::kNoMemory});
  std::span<std::byte> memory(batch->memory.data(), static_cast<size_t>(bytes));
  for (const Part& part : asked.parts) {
    const auto part_bytes = static_cast<size_t>(part.bytes);
    batch->reads.push_back({.name = part.object,
                            .offset_bytes = part.offset_bytes,
                            .is_whole = part.is_whole,
                            .into = memory.first(part_bytes)});
    memory = memory.subspan(part_bytes);
  }
  endpoint.read(batch, deadline, end);
}

// ---- hedging ----

void PartReader::hedge(Request& request) {
  request.hedge_at.reset();
  if (!may_hedge_ || other_.endpoint->is_closed_off() || !endpoint_.hedges().take()) return;
  request.copies[kOther].parts = other_.parts_of(request.copies[kFirst].parts);
  read(*other_.endpoint, next_request_, kOther, std::max(deadline_, Clock::now() + kHedgeTime));
}

// Which copy has all, or is the best that there will be. None: that is not known yet.
std::optional<size_t> PartReader::heard_of(const Request& request) const {
  const auto& endings = endings_->of_copies[next_request_];
  const bool is_hedged = request.copies[kOther].batch != nullptr;
  for (const size_t copy : {kFirst, kOther}) {
    if (request.copies[1 - copy].is_refused && endings[copy] != Ending::kNone) return copy;
    if (!request.copies[copy].is_refused && endings[copy] == Ending::kAll) return copy;
  }
  const bool have_ended =
      endings[kFirst] != Ending::kNone && (!is_hedged || endings[kOther] != Ending::kNone);
  return have_ended ? std::optional(kFirst) : std::nullopt;
}

bool PartReader::wait_for(Request& request, Deadline until) {
  std::unique_lock lock(endings_->mutex);
  rounds_ += !heard_of(request);
  const auto is_known = [&] { return heard_of(request).has_value(); };
  const Deadline alone_until = std::min(until, request.hedge_at.value_or(until));
  if (!endings_->changed.wait_until(lock, alone_until, is_known) && alone_until < until) {
    lock.unlock();
    hedge(request);
    lock.lock();
  }
  if (!endings_->changed.wait_until(lock, until, is_known)) return false;
  request.heard = *heard_of(request);
  // Who lacks what it is asked for lacks what follows, too.
  may_hedge_ = may_hedge_ && endings_->of_copies[next_request_][kOther] != Ending::kNotAll;
  return true;
}

void PartReader::close(Request& request) {
  const bool is_used = request.heard == kOther && next_part_ > 0;
  if (is_used && !request.copies[kOther].is_refused) endpoint_.hedges().won();
  for (Copy& copy : request.copies) copy.batch.reset();
}

bool PartReader::turn_to_other() {
  Request& request = requests_[next_request_];
  Copy& refused = request.copies[request.heard];
  const size_t other = 1 - request.heard;
  refused.is_refused = true;
  if (request.copies[other].batch == nullptr || request.copies[other].is_refused) return false;
  const int64_t wanted = refused.parts[next_part_ - 1].records.front().blocks;
  const auto is_before = [&](const Part& part) { return part.records.back().blocks < wanted; };
  const auto& parts = request.copies[other].parts;
  next_part_ = static_cast<size_t>(std::ranges::find_if_not(parts, is_before) - parts.begin());
  request.heard = other;
  return true;
}

// ---- handing out ----

bool PartReader::is_over() const {
  if (requests_.empty()) return true;
  const Request& request = requests_[next_request_];
  return next_request_ + 1 == requests_.size() &&
         next_part_ == request.copies[request.heard].parts.size();
}

std::optional<PartReader::Arrived> PartReader::next(Deadline until) {
  if (is_over()) return std::nullopt;
  Request* request = &requests_[next_request_];
  if (next_part_ == request->copies[request->heard].parts.size()) {
    bytes_begun_ -= request->bytes;
    close(*request);
    ++next_request_;
    next_part_ = 0;
    begin_requests();
    request = &requests_[next_request_];
  }
  // Once a copy is heard it is heard to its end.
  if (next_part_ == 0 || request->copies[1 - request->heard].is_refused) {
    if (!wait_for(*request, until)) return std::nullopt;
  }
  const Copy& copy = request->copies[request->heard];
  Endpoint* from = request->heard == kFirst ? &endpoint_ : other_.endpoint;
  const Part& part = copy.parts[next_part_];
  const size_t place = next_part_++;
  if (place >= copy.batch->reads.size()) return Arrived{&part, ReadOutcome::kUnknown, {}, from};
  const ObjectRead& read = copy.batch->reads[place];
  return Arrived{&part, read.outcome, read.into, from};
}

int64_t PartReader::bytes_arrived() const {
  const std::lock_guard lock(endings_->mutex);
  return endings_->bytes_arrived;
}

int64_t PartReader::bytes_left() const { return bytes_total_ - bytes_arrived(); }

}  // namespace kvasir::store::remote
