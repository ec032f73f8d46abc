#include "store/remote/part_reader.h"

#include <algorithm>
#include <utility>

namespace kvasir::store::remote {
namespace {

constexpr size_t kRequestsMin = 2;
constexpr double kWindowS = 0.1;

}  // namespace

PartReader::PartReader(Endpoint& endpoint, std::vector<Part> parts, Deadline deadline)
    : endpoint_(endpoint),
      parts_(std::move(parts)),
      deadline_(deadline),
      endings_(std::make_shared<Endings>()) {
  cut_into_requests();
  endings_->has_ended.resize(requests_.size());
  begin_requests();
}

void PartReader::cut_into_requests() {
  for (size_t i = 0; i < parts_.size(); ++i) {
    const int64_t bytes = parts_[i].bytes;
    bytes_total_ += bytes;
    if (requests_.empty() || !takes_more(requests_.back(), i, bytes)) {
      requests_.push_back({.begin = i});
    }
    requests_.back().end = i + 1;
    requests_.back().bytes += bytes;
  }
}

bool PartReader::takes_more(const Request& request, size_t next_part, int64_t bytes) {
  const bool is_short = next_part - request.begin < kPartsPerRequest;
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
  request.batch = std::make_shared<ReadBatch>();
  request.batch->memory = AlignedBuffer<std::byte>(request.bytes, Fill::kNothing);
  const auto end = [endings = endings_, index, bytes = request.bytes](const Status& status) {
    const std::lock_guard lock(endings->mutex);
    endings->has_ended[index] = true;
    if (status.ok()) endings->bytes_arrived += bytes;
    endings->changed.notify_all();
  };
  // Without memory nothing is read, and the chain ends here.
  if (request.batch->memory.failed()) return end(Error{.kind = ErrorKind::kNoMemory});
  std::span<std::byte> memory(request.batch->memory.data(), static_cast<size_t>(request.bytes));
  for (size_t i = request.begin; i < request.end; ++i) {
    const auto part_bytes = static_cast<size_t>(parts_[i].bytes);
    request.batch->reads.push_back({.name = parts_[i].object,
                                    .offset_bytes = parts_[i].offset_bytes,
                                    .is_whole = parts_[i].is_whole,
                                    .into = memory.first(part_bytes)});
    memory = memory.subspan(part_bytes);
  }
  endpoint_.read(request.batch, deadline_, end);
}

std::optional<PartReader::Arrived> PartReader::next(Deadline until) {
  if (is_over()) return std::nullopt;
  if (next_part_ == requests_[next_request_].end) {
    bytes_begun_ -= requests_[next_request_].bytes;
    requests_[next_request_++].batch.reset();
    begin_requests();
  }
  {
    std::unique_lock lock(endings_->mutex);
    const auto has_ended = [&] { return bool{endings_->has_ended[next_request_]}; };
    rounds_ += !has_ended();
    if (!endings_->changed.wait_until(lock, until, has_ended)) return std::nullopt;
  }
  const Request& request = requests_[next_request_];
  const Part& part = parts_[next_part_];
  const size_t place = next_part_ - request.begin;
  ++next_part_;
  if (place >= request.batch->reads.size()) return Arrived{&part, ReadOutcome::kUnknown, {}};
  const ObjectRead& read = request.batch->reads[place];
  return Arrived{&part, read.outcome, read.into};
}

int64_t PartReader::bytes_arrived() const {
  const std::lock_guard lock(endings_->mutex);
  return endings_->bytes_arrived;
}

int64_t PartReader::bytes_left() const { return bytes_total_ - bytes_arrived(); }

}  // namespace kvasir::store::remote
