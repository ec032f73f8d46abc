// A HedgeRule says when an engine's answer is so late that another engine is asked for the same:
// after longer than it took 95 of its last 100 answers to requests of that kind and about that
// size. Of all requests one in twenty is asked twice at most, so that engines that are slow because
// they have much to do do not get more of it. Any thread.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>

namespace kvasir::store::remote {

// The other engine is given so long, even where nobody waits for it as long: that it was asked late
// is no failure of its.
inline constexpr std::chrono::seconds kHedgeTime(1);

class HedgeRule {
 public:
  using Duration = std::chrono::steady_clock::duration;
  enum class Kind : uint8_t { kProbe, kRead };

  static constexpr size_t kRemembered = 100;
  static constexpr size_t kAnswersMin = 20;  // fewer say nothing of the slowest

  // A request begins; size: names or bytes. Returns how long its answer is waited for alone; none:
  // as long as it takes, since too little is known.
  std::optional<Duration> begin(Kind kind, int64_t size);
  // It was answered, so long after it had begun.
  void answered(Kind kind, int64_t size, Duration took);
  // Whether another engine may be asked for one more; that is counted.
  bool take();
  // The other one's answer was used.
  void won();

  int64_t hedged_requests() const;
  int64_t won_hedges() const;

 private:
  struct Times {
    std::array<Duration, kRemembered> of_last{};  // a ring
    size_t count = 0;                             // ever
  };
  // Sizes of one class differ by a factor of four at most.
  static constexpr size_t kSizeClasses = 20;

  Times& times_of(Kind kind, int64_t size);

  mutable std::mutex mutex_;                              // guards what follows
  std::array<std::array<Times, kSizeClasses>, 2> times_;  // [kinds]
  double may_hedge_ = 0;                                  // so many requests
  int64_t hedged_ = 0, won_ = 0;
};

}  // namespace kvasir::store::remote
