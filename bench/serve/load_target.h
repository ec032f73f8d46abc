// A LoadTarget is one server under load: where it is, what its texts weigh in tokens, and what it
// counts. Several targets get the same requests in one run. It belongs to one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bench/serve/load_client.h"
#include "kvasir/result.h"

namespace kvasir::bench {

// Tokens of prompts by where they came from, as the server counts them since it started.
struct TokenSources {
  bool is_known = false;  // not every server says
  int64_t computed = 0;
  int64_t ram = 0;
  int64_t disk = 0;
};

struct ServerMemory {
  int64_t rss_bytes = 0;  // 0: it does not say
  int64_t cache_bytes = 0;
};

class LoadTarget {
 public:
  struct Options {
    std::string name;  // in tables
    std::string url;
    std::string key;
    double ready_patience_s = 60;  // for a server that does not answer yet
    // Stops and starts the server. Null: it cannot be done. Returns its address, which may change.
    std::function<Result<std::string>()> restart;
  };

  // Asks for the model's name and measures the tokens of made-up words. Errors: an address that is
  // none, a server that does not answer.
  static Result<LoadTarget> create(Options options);

  LoadClient& client() { return *client_; }
  const std::string& name() const { return options_.name; }
  const Endpoint& endpoint() const { return endpoint_; }
  const std::string& key() const { return options_.key; }
  const std::string& model() const { return model_; }
  double tokens_per_word() const { return tokens_per_word_; }

  bool can_restart() const { return options_.restart != nullptr; }
  // Returns when it answers again.
  Status restart();

  TokenSources sources();
  ServerMemory memory();

 private:
  explicit LoadTarget(Options options) : options_(std::move(options)) {}
  Status connect();
  Status wait_until_ready();
  Status measure_words();

  Options options_;
  Endpoint endpoint_;
  std::string model_;
  double tokens_per_word_ = 1;
  std::unique_ptr<LoadClient> client_;
};

}  // namespace kvasir::bench
