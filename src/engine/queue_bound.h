// How much may wait, by ServiceOptions: one rule for a scheduler and for the service before it.
#pragma once

#include <cstdint>
#include <string>

#include "kvasir/result.h"
#include "kvasir/scheduler.h"

namespace kvasir {

// What is in a queue.
struct Waiting {
  int64_t requests = 0;
  int64_t tokens = 0;  // of their prompts

  // "3 requests of 4000 tokens"
  std::string text() const;
};

// Error (kBusy): the queue has no place for a prompt of so many tokens. One that is empty takes a
// prompt of any length.
Status check_queue_bound(const ServiceOptions& options, const Waiting& waiting,
                         int64_t prompt_tokens);

}  // namespace kvasir
