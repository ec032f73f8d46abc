#include "store/remote/probe.h"

#include <algorithm>
#include <utility>

namespace kvasir::store::remote {

// They end after whoever asked may have gone.
struct Probe::Calls {
  bool has_ended() const { return left == 0 || has_failed; }
  bool is_answered() const { return left == 0 && !has_failed; }

  std::vector<bool> is_there;
  size_t left = 0;
  bool has_failed = false;
};

Probe::Probe(Endpoint& endpoint, const std::vector<ObjectName>& names, Deadline deadline,
             std::shared_ptr<Bell> bell)
    : bell_(std::move(bell)), calls_(std::make_shared<Calls>()) {
  const auto size = std::ssize(names);
  const auto begun_at = Clock::now();
  patience_ = endpoint.hedges().begin(HedgeRule::Kind::kProbe, size);
  const auto step = static_cast<size_t>(endpoint.traits().probes_max);
  calls_->is_there.resize(names.size());
  calls_->left = (names.size() + step - 1) / step;
  for (size_t begin = 0; begin < names.size(); begin += step) {
    const auto from = names.begin() + static_cast<std::ptrdiff_t>(begin);
    const size_t count = std::min(step, names.size() - begin);
    const auto take = [bell = bell_, calls = calls_, &endpoint, begin, begun_at,
                       size](const Result<std::vector<bool>>& part) {
      const std::lock_guard lock(bell->mutex);
      --calls->left;
      calls->has_failed |= !part.ok();
      if (part.ok()) {
        std::copy(part->begin(), part->end(),
                  calls->is_there.begin() + static_cast<std::ptrdiff_t>(begin));
      }
      if (calls->is_answered()) {
        endpoint.hedges().answered(HedgeRule::Kind::kProbe, size, Clock::now() - begun_at);
      }
      bell->changed.notify_all();
    };
    endpoint.probe({from, from + static_cast<std::ptrdiff_t>(count)}, deadline, take);
  }
}

void Probe::wait_until(Deadline until, const Probe* other) const {
  std::unique_lock lock(bell_->mutex);
  bell_->changed.wait_until(lock, until, [&] {
    return calls_->has_ended() || (other != nullptr && other->calls_->is_answered());
  });
}

bool Probe::has_ended() const {
  const std::lock_guard lock(bell_->mutex);
  return calls_->has_ended();
}

std::optional<std::vector<bool>> Probe::answer() const {
  const std::lock_guard lock(bell_->mutex);
  if (!calls_->is_answered()) return std::nullopt;
  return calls_->is_there;
}

std::optional<std::vector<bool>> probe_now(Endpoint& endpoint, const std::vector<ObjectName>& names,
                                           Deadline deadline) {
  const Probe probe(endpoint, names, deadline);
  probe.wait_until(deadline);
  return probe.answer();
}

}  // namespace kvasir::store::remote
