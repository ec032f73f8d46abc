#include "remote_driver.h"

#include <chrono>
#include <cstring>
#include <filesystem>
#include <span>

#include "base/stopwatch.h"
#include "engine_driver.h"

namespace kvasir::testing {

Tokens first(const Tokens& tokens, int64_t count) {
  return {tokens.begin(), tokens.begin() + count};
}

RemoteTest::RemoteTest(const TinyModelSpec& spec) {
  std::filesystem::create_directory(model_);
  write_checkpoint(model_, spec);
}

EngineOptions RemoteTest::options(const std::string& store, const std::string& url) const {
  EngineOptions options{.model_path = model_, .thread_count = 1, .needs_text = false};
  options.store =
      StoreOptions{.directory = directory_.file(store),
                   .min_free_bytes = 0,
                   .remote = {.urls = {url}, .new_tokens_min = 0, .patience_min_ms = 10'000}};
  return options;
}

Engine RemoteTest::open(const std::string& store, const std::string& url) const {
  return open_engine(options(store, url));
}

std::vector<float> RemoteTest::expected(const Tokens& tokens) {
  if (!reference_) {
    reference_.emplace(open_engine({.model_path = model_, .thread_count = 1, .needs_text = false}));
  }
  Session session = new_session(*reference_);
  EXPECT_TRUE(session.append(tokens).ok());
  return {session.logits().begin(), session.logits().end()};
}

bool RemoteTest::has_logits(const Session& session, const std::vector<float>& wanted) {
  const auto logits = session.logits();
  return logits.size() == wanted.size() &&
         std::memcmp(wanted.data(), logits.data(), wanted.size() * sizeof(float)) == 0;
}

ReusedTokens RemoteTest::run(Engine& engine, const Tokens& tokens, RemoteTimes* times) {
  const Stopwatch watch;
  auto session = engine.resume(tokens);
  EXPECT_TRUE(session.ok());
  const double resume_ms = watch.elapsed_ms();
  const auto resumed = static_cast<size_t>(session->length());
  EXPECT_TRUE(session->append(std::span(tokens).subspan(resumed)).ok());
  const double took_ms = watch.elapsed_ms();
  session->mark_resumable();
  const Stopwatch computing;
  const std::vector<float> wanted = expected(tokens);
  if (times != nullptr) *times = {resume_ms, took_ms, computing.elapsed_ms()};
  EXPECT_TRUE(has_logits(*session, wanted)) << "resumed " << resumed << " of " << tokens.size();
  return session->reused();
}

ReusedTokens RemoteTest::run_at(const EngineOptions& options, const Tokens& tokens) {
  Engine engine = open_engine(options);
  const ReusedTokens reused = run(engine, tokens);
  EXPECT_TRUE(engine.flush_store().ok());
  return reused;
}

std::string RemoteTest::private_file(const std::string& name, const std::string& text) const {
  const std::string path = directory_.file(name);
  write_file(path, text);
  using std::filesystem::perms;
  std::filesystem::permissions(path, perms::owner_read | perms::owner_write);
  return path;
}

void add(RemoteEndpointMetrics& sum, const RemoteEndpointMetrics& one) {
  for (const auto& [name, count] : kRemoteEndpointCounts) sum.*count += one.*count;
}

int64_t wrong_bytes(const Engine& engine) {
  return engine.remote_metrics().endpoints[0].wrong_bytes;
}

bool is_closed_off(const Engine& engine) {
  return engine.remote_metrics().endpoints[0].is_closed_off;
}

int64_t thread_count() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return std::distance(begin(tasks), end(tasks));
}

}  // namespace kvasir::testing
