// A Service is a scheduler on a thread of its own: any thread submits requests, cancels them and
// reads counts. It owns the engine and that thread.
#pragma once

#include <chrono>
#include <memory>

#include "kvasir/engine.h"
#include "kvasir/result.h"
#include "kvasir/scheduler.h"
#include "kvasir/store.h"

namespace kvasir {

class Service {
 public:
  Service(Engine engine, const ServiceOptions& options);
  // As drain(0 ms).
  ~Service();
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  // What of the engine any thread may use at any time: info(), store_root(), remote_metrics(),
  // encode(), decode(),
  // check_tokens(), nearest_stored(), key_of(), export_to(), import_from(), and ChatForm. Before
  // the first submit one thread may use all of it.
  Engine& engine();

  // As Scheduler::submit; an error is known at once. The sink is called on the service's thread and
  // must not wait. kBusy also while the service drains.
  Result<RequestId> submit(ServiceRequest request, ServiceSink sink);
  // As Scheduler::cancel, soon.
  void cancel(RequestId id);

  // Whether it would refuse any request now, because too many wait or it drains.
  bool is_full() const;

  ServiceMetrics metrics() const;
  StoreMetrics store_metrics() const;

  // Takes no more requests, lets those under way go on until they are done or `patience` is over,
  // cancels the rest, and waits until the store has what was to be saved. Error: as
  // Engine::flush_store. Several may wait in it; the least patient one decides. Not from a sink.
  Status drain(std::chrono::milliseconds patience);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kvasir
