// A LoadClient has many requests under way at one server, on one thread and without waiting for any
// single one, so that the times it sees are the server's and hardly its own.
//
//   LoadClient client(endpoint, key);
//   client.start({.path = "/v1/completions", .body = body}, [](const Answer& answer) { ... });
//   KVASIR_RETURN_IF_ERROR(client.run());
//
// Requests may be started, and all stopped, while it runs. It belongs to one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bench/serve/answer.h"
#include "kvasir/result.h"

namespace kvasir::bench {

struct Ask {
  std::string method = "POST";
  std::string path;
  std::string body;
  // Reads a little at a time and rests in between, with little room for what waits.
  bool reads_slowly = false;
};

class LoadClient {
 public:
  using OnAnswer = std::function<void(const Answer& answer)>;

  LoadClient(Endpoint endpoint, std::string key);
  ~LoadClient();
  LoadClient(const LoadClient&) = delete;
  LoadClient& operator=(const LoadClient&) = delete;

  // `on_end` is called once from run(); what fails is in Answer::error. `on_token`, where there is
  // one, whenever text has come.
  void start(Ask ask, OnAnswer on_end, OnAnswer on_token = {});
  // Opens connections that say nothing; they last as long as the client. Error: one is refused.
  Status open_idle(int64_t count);
  // Leaves every request that is under way; their answers are marked as cancelled.
  void stop_all();
  // Returns when nothing is under way. Error: nothing has come for that long.
  Status run(double patience_s = 600);

  // start() and run() for one. Error: what is in Answer::error.
  Result<Answer> ask(Ask ask);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kvasir::bench
