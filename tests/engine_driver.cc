#include "engine_driver.h"

#include <fstream>
#include <iterator>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <random>

#include "base/check.h"
#include "kernels/instruction_sets.h"

namespace kvasir::testing {

std::vector<std::string> supported_instruction_sets() {
  std::vector<std::string> names{kernels::reference_set().table.name};
  for (const kernels::InstructionSet& set : kernels::instruction_sets()) {
    if (set.is_supported()) {
      names.emplace_back(set.table.name);
    } else {
      std::printf("skipped: this processor lacks %s\n", set.table.name);
    }
  }
  return names;
}

Engine open_engine(const EngineOptions& options) {
  auto engine = Engine::open(options);
  KVASIR_CHECK(engine.ok(), engine.error().message().c_str());
  return std::move(engine).value();
}

Session new_session(Engine& engine) {
  auto session = engine.new_session();
  KVASIR_CHECK(session.ok(), session.error().message().c_str());
  return std::move(session).value();
}

std::vector<int32_t> random_tokens(int64_t count, int64_t vocab, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<int32_t> tokens(static_cast<size_t>(count));
  for (int32_t& token : tokens)
    token = static_cast<int32_t>(random() % static_cast<uint64_t>(vocab));
  return tokens;
}

std::vector<float> append_all(Session& session, std::span<const int32_t> tokens) {
  std::vector<float> all;
  const Status status = session.append_with_logits(tokens, [&](std::span<const float> logits) {
    all.insert(all.end(), logits.begin(), logits.end());
    return ok_status();
  });
  KVASIR_CHECK(status.ok(), status.error().message().c_str());
  return all;
}

int64_t first_difference(std::span<const float> a, std::span<const float> b, int64_t vocab) {
  KVASIR_CHECK(a.size() == b.size(), "the same number of tokens");
  const auto row = static_cast<size_t>(vocab);
  for (size_t first = 0; first < a.size(); first += row) {
    if (std::memcmp(&a[first], &b[first], row * sizeof(float)) != 0) {
      return static_cast<int64_t>(first / row);
    }
  }
  return -1;
}

std::vector<int32_t> read_tokens(const std::string& path) {
  std::ifstream file(path);
  return {std::istream_iterator<int32_t>(file), std::istream_iterator<int32_t>()};
}

}  // namespace kvasir::testing
