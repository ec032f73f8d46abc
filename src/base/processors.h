// Processors are what threads run on. These functions say which there are for this process, and
// bind threads to single ones. Linux.
//
// Threads: any, at any time; a BoundHere belongs to the thread that made it.
#pragma once

#include <sched.h>

#include <functional>
#include <span>
#include <thread>
#include <vector>

#include "kvasir/result.h"

namespace kvasir {

// How many processors the calling thread may run on; at least one.
int processors_of_this_process();

// Those that the calling thread may run on, in the order in which threads are to be bound to them:
// one of each core, then the next of each. Empty: the system does not say.
std::vector<int> processors_by_core();
// The same of given ones, ascending. core_of: a number of the core; equal for siblings.
std::vector<int> one_of_each_core_first(std::span<const int> processors,
                                        const std::function<int(int processor)>& core_of);

// Binds a thread for good. Error: the system refuses.
Status bind_thread(std::jthread& thread, int processor);

// Binds the calling thread for as long as this lives, then lets it run where it could before. A
// thread that may not run there, or that somebody binds otherwise meanwhile, stays as it is.
class BoundHere {
 public:
  explicit BoundHere(int processor);  // less than 0: nothing is done
  ~BoundHere();
  BoundHere(const BoundHere&) = delete;
  BoundHere& operator=(const BoundHere&) = delete;

 private:
  cpu_set_t before_;
  cpu_set_t bound_;
  bool is_bound_ = false;
};

}  // namespace kvasir
