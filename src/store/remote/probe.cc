#include "store/remote/probe.h"

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>

namespace kvasir::store::remote {
namespace {

// Calls of one question, and the thread that waits for all of them. It may stop waiting first.
class Answers {
 public:
  explicit Answers(size_t count) : answers_(count), left_(1) {}

  void expect() {
    const std::lock_guard lock(mutex_);
    ++left_;
  }
  void set(size_t begin, const std::vector<bool>& part) {
    const std::lock_guard lock(mutex_);
    std::copy(part.begin(), part.end(), answers_.begin() + static_cast<std::ptrdiff_t>(begin));
    end_one();
  }
  void fail() {
    const std::lock_guard lock(mutex_);
    has_failed_ = true;
    end_one();
  }
  // None: a call failed, or not all have answered by then.
  std::optional<std::vector<bool>> wait_until(Deadline deadline) {
    std::unique_lock lock(mutex_);
    end_one();
    const bool is_done =
        changed_.wait_until(lock, deadline, [this] { return left_ == 0 || has_failed_; });
    if (!is_done || has_failed_) return std::nullopt;
    return answers_;
  }

 private:
  void end_one() {
    --left_;
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<bool> answers_;
  int left_;  // calls that have not ended, and the one who makes them
  bool has_failed_ = false;
};

}  // namespace

std::optional<std::vector<bool>> probe_now(Endpoint& endpoint, const std::vector<ObjectName>& names,
                                           Deadline deadline) {
  const auto answers = std::make_shared<Answers>(names.size());
  const auto step = static_cast<size_t>(endpoint.traits().probes_max);
  for (size_t begin = 0; begin < names.size(); begin += step) {
    const size_t end = std::min(names.size(), begin + step);
    answers->expect();
    endpoint.probe({names.begin() + static_cast<std::ptrdiff_t>(begin),
                    names.begin() + static_cast<std::ptrdiff_t>(end)},
                   deadline, [answers, begin](const Result<std::vector<bool>>& is_there) {
                     if (is_there.ok()) {
                       answers->set(begin, *is_there);
                     } else {
                       answers->fail();
                     }
                   });
  }
  return answers->wait_until(deadline);
}

}  // namespace kvasir::store::remote
