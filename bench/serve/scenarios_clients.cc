// The scenario of many clients: first they connect and say nothing, then as many ask at once and
// read slowly. What the server takes for them must stay small.
#include <sys/resource.h>

#include <algorithm>

#include "bench/serve/scenario_parts.h"

namespace kvasir::bench {
namespace {

constexpr uint64_t kClientTexts = 7000;
constexpr int64_t kAnswerTokens = 16;
constexpr int64_t kPromptWords = 8;
constexpr size_t kAnswersPerLook = 50;

void allow_many_files() {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
}

// The most memory beside the caches of all looks at a server.
class MemoryWatch {
 public:
  explicit MemoryWatch(LoadTarget& target) : target_(target), before_bytes_(bytes_now()) {}

  void look() { most_bytes_ = std::max(most_bytes_, bytes_now()); }
  bool is_known() const { return before_bytes_ > 0; }
  double grown_mebibytes() const {
    return static_cast<double>(std::max(most_bytes_ - before_bytes_, int64_t{0})) / (1 << 20);
  }

 private:
  int64_t bytes_now() {
    const ServerMemory memory = target_.memory();
    return memory.rss_bytes - memory.cache_bytes;
  }

  LoadTarget& target_;
  int64_t before_bytes_;
  int64_t most_bytes_ = 0;
};

Status sit_idle(LoadTarget& target, int64_t count, MemoryWatch& memory) {
  LoadClient idle(target.endpoint(), "");
  KVASIR_RETURN_IF_ERROR(idle.open_idle(count));
  memory.look();
  return ok_status();
}

// The looks go through a client of their own, while the load waits.
Status read_slowly(LoadTarget& target, const LoadOptions& options, MemoryWatch& memory,
                   std::vector<Answer>& answers) {
  LoadClient readers(target.endpoint(), target.key());
  for (int64_t i = 0; i < options.clients; ++i) {
    const std::string prompt = made_up_words(text_seed(options, kClientTexts + i), kPromptWords);
    Ask ask = completion(target.model(), prompt, kAnswerTokens);
    ask.reads_slowly = true;
    readers.start(std::move(ask), [&](const Answer& answer) {
      answers.push_back(answer);
      if (answers.size() % kAnswersPerLook == 0) memory.look();
    });
  }
  return readers.run();
}

double worst_first_event_ms(const std::vector<Answer>& answers) {
  double worst = 0;
  for (const Answer& answer : answers) {
    if (answer.ok()) worst = std::max(worst, answer.first_event_ms);
  }
  return worst;
}

}  // namespace

// Those whom a server refuses count as failed.
Result<ScenarioResult> run_clients(LoadTarget& target, const LoadOptions& options) {
  allow_many_files();
  MemoryWatch memory(target);
  std::vector<Answer> answers;
  KVASIR_RETURN_IF_ERROR(sit_idle(target, options.clients, memory));
  KVASIR_RETURN_IF_ERROR(read_slowly(target, options, memory, answers));
  ScenarioResult result{.figures = figures_of(answers, options.bounds)};
  result.own.push_back({"worst_first_event", worst_first_event_ms(answers), "ms"});
  if (memory.is_known()) {
    result.own.push_back({"grown_beside_caches", memory.grown_mebibytes(), "MiB"});
  }
  return result;
}

}  // namespace kvasir::bench
