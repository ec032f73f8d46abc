#include "base/processors.h"

#include <pthread.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <string>

#include "base/system_error.h"

namespace kvasir {
namespace {

cpu_set_t set_of(int processor) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<size_t>(processor), &set);
  return set;
}

// Where the system does not say, each is a core of its own.
int first_sibling_of(int processor) {
  std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(processor) +
                     "/topology/thread_siblings_list");
  int first = 0;
  return file >> first ? first : processor;
}

}  // namespace

int processors_of_this_process() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return std::max(1, CPU_COUNT(&set));
}

std::vector<int> processors_by_core() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return {};
  std::vector<int> processors;
  for (int i = 0; i < CPU_SETSIZE; ++i) {
    if (CPU_ISSET(static_cast<size_t>(i), &set)) processors.push_back(i);
  }
  return one_of_each_core_first(processors, first_sibling_of);
}

std::vector<int> one_of_each_core_first(std::span<const int> processors,
                                        const std::function<int(int processor)>& core_of) {
  struct Place {
    int turn;  // how many of its core come before
    int processor;
  };
  std::map<int, int> turns;
  std::vector<Place> places;
  places.reserve(processors.size());
  for (const int processor : processors) places.push_back({turns[core_of(processor)]++, processor});
  std::stable_sort(places.begin(), places.end(),
                   [](const Place& a, const Place& b) { return a.turn < b.turn; });
  std::vector<int> ordered;
  ordered.reserve(places.size());
  for (const Place& place : places) ordered.push_back(place.processor);
  return ordered;
}

Status bind_thread(std::jthread& thread, int processor) {
  const cpu_set_t set = set_of(processor);
  const int failed = pthread_setaffinity_np(thread.native_handle(), sizeof set, &set);
  if (failed == 0) return ok_status();
  return system_error("cannot bind a thread to a processor",
                      "processor " + std::to_string(processor), failed);
}

BoundHere::BoundHere(int processor) {
  if (processor < 0 || sched_getaffinity(0, sizeof before_, &before_) != 0) return;
  if (!CPU_ISSET(static_cast<size_t>(processor), &before_)) return;
  bound_ = set_of(processor);
  is_bound_ = sched_setaffinity(0, sizeof bound_, &bound_) == 0;
}

BoundHere::~BoundHere() {
  if (!is_bound_) return;
  cpu_set_t now;
  if (sched_getaffinity(0, sizeof now, &now) != 0 || !CPU_EQUAL(&now, &bound_)) return;
  (void)sched_setaffinity(0, sizeof before_, &before_);
}

}  // namespace kvasir
