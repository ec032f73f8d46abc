// Driving engines over a remote tier in tests: each has a store of its own, and what it computes is
// compared bit by bit with one that knows neither.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint_maker.h"
#include "kvasir/engine.h"
#include "temp_directory.h"

namespace kvasir::testing {

using Tokens = std::vector<int32_t>;

Tokens first(const Tokens& tokens, int64_t count);

// How long one request took.
struct RemoteTimes {
  double resume_ms = 0;     // until there was a session
  double took_ms = 0;       // until there were logits
  double computing_ms = 0;  // the same tokens, where nothing is read or saved
  // How much later it was than it may be.
  double late_ms() const { return took_ms - (1.5 * computing_ms + 200); }
};

class RemoteTest : public ::testing::Test {
 protected:
  explicit RemoteTest(const TinyModelSpec& spec = quick_model_spec());

  // Of an engine with a store of its own, new each time, over the servers. It is patient, so as not
  // to depend on how busy a machine is, and texts of any length are written.
  EngineOptions options(const std::string& store, const std::string& url) const;
  Engine open(const std::string& store, const std::string& url) const;

  // Logits of the last token.
  std::vector<float> expected(const Tokens& tokens);
  static bool has_logits(const Session& session, const std::vector<float>& wanted);
  // Goes on from what is there, checks the bits, and says whence its tokens came.
  ReusedTokens run(Engine& engine, const Tokens& tokens, RemoteTimes* times = nullptr);
  // The same at an engine that ends once the servers have what it computed.
  ReusedTokens run_at(const EngineOptions& options, const Tokens& tokens);
  // Writes a file that its owner alone may read, and returns where it is.
  std::string private_file(const std::string& name, const std::string& text) const;

  TempDirectory directory_;
  std::string model_ = directory_.file("model");

 private:
  std::optional<Engine> reference_;
};

// Of all engines together.
void add(RemoteEndpointMetrics& sum, const RemoteEndpointMetrics& one);
int64_t wrong_bytes(const Engine& engine);
bool is_closed_off(const Engine& engine);
// How many threads this process has.
int64_t thread_count();

}  // namespace kvasir::testing
