// Threads that are bound to processors: those of an engine for good, those of its user for a pass.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "base/processors.h"
#include "engine_driver.h"
#include "golden_checkpoint.h"
#include "kvasir/engine.h"

namespace kvasir {
namespace {

using Threads = std::set<std::string>;

Threads threads_of_this_process() {
  Threads threads;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task"))
    threads.insert(entry.path().string());
  return threads;
}

// As the system says it: "3", "0-1".
std::string processors_of(const std::string& thread) {
  std::ifstream status(thread + "/status");
  const std::string word = "Cpus_allowed_list:\t";
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(word)) return line.substr(word.size());
  }
  return "";
}

std::vector<int> sorted(std::vector<int> list) {
  std::sort(list.begin(), list.end());
  return list;
}

std::string golden_model() { return testing::golden_folder("llama"); }

TEST(Pin, ThreadsOfAnEngineHaveAProcessorEachAndTheCallerKeepsItsOwn) {
  const std::vector<int> processors = processors_by_core();
  const Threads before = threads_of_this_process();
  Engine engine = testing::open_engine(
      {.model_path = golden_model(), .pin_threads = true, .needs_text = false});
  std::set<std::string> found;
  for (const std::string& thread : threads_of_this_process()) {
    if (before.contains(thread)) continue;
    found.insert(processors_of(thread));
  }
  std::set<std::string> wanted;
  for (size_t i = 1; i < processors.size(); ++i) wanted.insert(std::to_string(processors[i]));
  EXPECT_EQ(found, wanted);
  Session session = testing::new_session(engine);
  testing::append_all(session, testing::random_tokens(40, 96, 1));
  EXPECT_EQ(sorted(processors_by_core()), sorted(processors));
}

// Where a process may run is what there is.
TEST(Pin, MoreThreadsThanProcessorsAreRefused) {
  const BoundHere one_alone(processors_by_core().front());
  EngineOptions options{
      .model_path = golden_model(), .thread_count = 2, .pin_threads = true, .needs_text = false};
  const auto engine = Engine::open(options);
  ASSERT_FALSE(engine.ok());
  EXPECT_EQ(engine.error().kind, ErrorKind::kUsage);
  EXPECT_EQ(engine.error().field, "thread_count");
  options.thread_count = 1;
  EXPECT_TRUE(Engine::open(options).ok());
  options = {.model_path = golden_model(), .thread_count = 2, .needs_text = false};
  EXPECT_TRUE(Engine::open(options).ok());
}

}  // namespace
}  // namespace kvasir
