#include "cli/bench_speed_report.h"

#include <algorithm>
#include <cstdio>
#include <string>

namespace kvasir::cli {
namespace {

constexpr const char* kPartNames[kPassPartCount] = {"embedding", "products", "experts", "attention",
                                                    "picking",   "rows",     "streams", "logits",
                                                    "waiting",   "other"};

// 0: not measured.
double limit_of(std::span<const bench::Measurement> limits, std::string_view name) {
  const auto found = std::ranges::find(limits, name, &bench::Measurement::name);
  return found == limits.end() ? 0 : found->value;
}

// Of a measurement's tokens, by time or by what the machine can do in it; 0 where nothing bounds
// it.
double share(double part, double whole) { return whole > 0 ? part / whole : 0; }

// What a measurement costs, and the machine's limits.
struct Rates {
  double seconds;         // of the run that counts
  double cost_seconds;    // of the one whose parts were measured
  double memory_limit;    // bytes a second
  double multiply_limit;  // multiply-adds a second, of floats
  PartCost all;

  Rates(const bench::Speed& speed, std::span<const bench::Measurement> limits)
      : seconds(speed.milliseconds / 1000),
        cost_seconds(speed.cost.total().seconds),
        memory_limit(limit_of(limits, "memory read")),
        multiply_limit(limit_of(limits, "float multiply-adds")),
        all(speed.cost.total()) {}

  double bytes_per_second() const { return share(static_cast<double>(all.bytes), seconds); }
  double multiplies_per_second() const {
    return share(static_cast<double>(all.multiply_adds), seconds);
  }
};

void print_share(double rate, double limit) {
  if (limit > 0 && rate > 0) {
    std::printf(" %5.0f %%", 100 * rate / limit);
  } else {
    std::printf(" %7s", "");
  }
}

void print_part(const char* name, const PartCost& part, double tokens, const Rates& rates) {
  if (part.seconds == 0) return;
  const double bytes = static_cast<double>(part.bytes);
  const double multiplies = static_cast<double>(part.multiply_adds);
  std::printf("  %-10s %10.4f %5.1f %%  %9s", name, part.seconds * 1000 / tokens,
              100 * share(part.seconds, rates.cost_seconds),
              bytes > 0 ? (with_prefix(bytes / tokens) + "B").c_str() : "");
  print_share(bytes / part.seconds, rates.memory_limit);
  std::printf(" %10s", multiplies > 0 ? with_prefix(multiplies / tokens).c_str() : "");
  print_share(multiplies / part.seconds, rates.multiply_limit);
  std::printf("\n");
}

}  // namespace

std::string with_prefix(double value) {
  const char* prefixes[] = {"", "k", "M", "G", "T"};
  size_t prefix = 0;
  for (; value >= 1000 && prefix + 1 < std::size(prefixes); ++prefix) value /= 1000;
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %s", value, prefixes[prefix]);
  return text;
}

void print_speed(const bench::SpeedOptions& options, const bench::Speed& speed,
                 std::span<const bench::Measurement> limits, int thread_count) {
  const Rates rates(speed, limits);
  const auto tokens = static_cast<double>(speed.cost.token_count);
  std::printf("\n%s behind %lld: %.1f tokens/s, %.3f ms for %lld of %lld session%s, cache %s\n",
              options.what == bench::SpeedOf::kPrefill ? "prefill" : "decode",
              static_cast<long long>(speed.depth_tokens), speed.tokens_per_second,
              speed.milliseconds, static_cast<long long>(options.measured_tokens),
              static_cast<long long>(options.session_count), options.session_count == 1 ? "" : "s",
              (with_prefix(static_cast<double>(speed.kv_bytes)) + "B").c_str());
  std::printf("%sB/s of weights and cached rows", with_prefix(rates.bytes_per_second()).c_str());
  if (rates.memory_limit > 0) {
    std::printf(", %.0f %% of memory", 100 * rates.bytes_per_second() / rates.memory_limit);
  }
  std::printf("; %smultiply-adds/s", with_prefix(rates.multiplies_per_second()).c_str());
  if (rates.multiply_limit > 0) {
    std::printf(", %.0f %% of float's", 100 * rates.multiplies_per_second() / rates.multiply_limit);
  }
  std::printf("; threads busy %.0f %%",
              100 * share(speed.cost.busy_seconds, rates.cost_seconds * thread_count));
  std::printf("\n  %-10s %10s %7s  %9s %7s %10s %7s\n", "part", "ms/token", "time", "B/token",
              "memory", "madds", "float");
  for (size_t i = 0; i < kPassPartCount; ++i) {
    print_part(kPartNames[i], speed.cost.parts[i], tokens, rates);
  }
  std::fflush(stdout);
}

Json speeds_json(std::span<const bench::Speed> speeds, std::span<const bench::Measurement> limits) {
  Json::Array array;
  for (const bench::Speed& speed : speeds) {
    const Rates rates(speed, limits);
    const auto tokens = static_cast<double>(speed.cost.token_count);
    Json::Object parts;
    for (size_t i = 0; i < kPassPartCount; ++i) {
      const PartCost& part = speed.cost.parts[i];
      parts.emplace_back(kPartNames[i],
                         Json::Object{{"ms_per_token", part.seconds * 1000 / tokens},
                                      {"share", share(part.seconds, rates.cost_seconds)},
                                      {"bytes_per_token", static_cast<double>(part.bytes) / tokens},
                                      {"multiply_adds_per_token",
                                       static_cast<double>(part.multiply_adds) / tokens}});
    }
    array.emplace_back(
        Json::Object{{"depth_tokens", speed.depth_tokens},
                     {"tokens_per_second", speed.tokens_per_second},
                     {"ms", speed.milliseconds},
                     {"kv_bytes", speed.kv_bytes},
                     {"bytes_per_second", rates.bytes_per_second()},
                     {"memory_share", share(rates.bytes_per_second(), rates.memory_limit)},
                     {"multiply_adds_per_second", rates.multiplies_per_second()},
                     {"float_share", share(rates.multiplies_per_second(), rates.multiply_limit)},
                     {"busy_seconds", speed.cost.busy_seconds},
                     {"pass_seconds", rates.cost_seconds},
                     {"parts", std::move(parts)}});
  }
  return array;
}

}  // namespace kvasir::cli
