// A TransferPace says whether an exchange goes on as fast as it must: connected soon, answered soon
// once all was sent, and in between so many bytes a second. A plain value; it is told the time.
#pragma once

#include <chrono>
#include <cstdint>

#include "store/remote/object_client.h"

namespace kvasir::store::remote {

class TransferPace {
 public:
  // How far an exchange is. An answer may begin before all is sent.
  struct Progress {
    bool is_connected = false;
    int64_t unsent_bytes = 0;
    int64_t moved_bytes = 0;  // in both directions
    bool has_answer = false;  // its first byte is here
  };
  enum class Verdict : uint8_t { kGoesOn, kNoConnection, kNoAnswer, kTooSlow };

  // sent_bytes: the body of the request, of which the system may hold some when it takes the last.
  TransferPace(const LinkLimits& limits, int64_t sent_bytes, Clock::time_point now);

  Verdict look(const Progress& progress, Clock::time_point now);
  // When to look again at the latest, if nothing happens before.
  Clock::time_point next_look() const { return limit_; }

 private:
  enum class Step : uint8_t { kConnects, kSends, kWaits, kReceives };

  static Step step_of(const Progress& progress);
  std::chrono::milliseconds allowed(Step step) const;
  static Verdict verdict_of(Step step);

  LinkLimits limits_;
  std::chrono::milliseconds draining_;  // what the system holds of the request may take so long
  Step step_ = Step::kConnects;
  Clock::time_point limit_;
  int64_t moved_before_ = 0;
};

}  // namespace kvasir::store::remote
