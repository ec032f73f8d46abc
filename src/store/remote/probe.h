// A Probe asks an endpoint which of some names its engine has, in as many calls at a time as the
// engine needs. One thread; the endpoint must outlive it, and may go on with its calls after it.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "store/remote/endpoint.h"

namespace kvasir::store::remote {

class Probe {
 public:
  // Rings when a probe ends; several may share it, so that one thread waits for all.
  struct Bell {
    std::mutex mutex;
    std::condition_variable changed;
  };

  // Begins to ask.
  Probe(Endpoint& endpoint, const std::vector<ObjectName>& names, Deadline deadline,
        std::shared_ptr<Bell> bell = std::make_shared<Bell>());

  // How long this engine is waited for alone (HedgeRule).
  std::optional<HedgeRule::Duration> patience() const { return patience_; }
  const std::shared_ptr<Bell>& bell() const { return bell_; }
  // Returns when it has ended, or when `until` has come, or when `other`, of the same bell, has an
  // answer.
  void wait_until(Deadline until, const Probe* other = nullptr) const;
  bool has_ended() const;
  // Which of the names there are. None: a call failed, or not all have been answered yet.
  std::optional<std::vector<bool>> answer() const;

 private:
  struct Calls;

  std::shared_ptr<Bell> bell_;
  std::shared_ptr<Calls> calls_;
  std::optional<HedgeRule::Duration> patience_;
};

// Asks, and waits for the answer.
std::optional<std::vector<bool>> probe_now(Endpoint& endpoint, const std::vector<ObjectName>& names,
                                           Deadline deadline);

}  // namespace kvasir::store::remote
