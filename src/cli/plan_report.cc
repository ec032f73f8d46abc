#include "cli/plan_report.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/link_rate.h"
#include "cli/plan_text.h"
#include "cli/quality_text.h"
#include "kvasir/cache_size.h"

namespace kvasir::cli {
namespace {

void print_head(const PlanAnswer& answer) {
  const plan::CacheModel& model = answer.model;
  const plan::Load& load = answer.load;
  std::string head =
      fmt::format("{} ({}), {} layers", model.name, model.architecture, model.layer_count);
  if (model.context_tokens_max > 0) {
    head += fmt::format(", made for {} tokens", with_commas(model.context_tokens_max));
  }
  fmt::print("{}\n{}\n", wrapped(head, 0), model.source);
  for (const std::string& note : model.notes) fmt::print("note: {}\n", wrapped(note, 6));

  std::string what =
      load.sequences == 1 ? "a sequence" : fmt::format("{} sequences", load.sequences);
  what +=
      fmt::format(" of {} tokens, {}", with_commas(load.context_tokens), answer.options.precision);
  if (load.shared_prefix_tokens > 0 && load.sequences > 1) {
    what += fmt::format(", the first {} in common", with_commas(load.shared_prefix_tokens));
  }
  if (answer.options.tensor_parallel > 1) {
    what += fmt::format(", one of {} tensor-parallel ranks", answer.options.tensor_parallel);
  }
  if (answer.data_parallel > 1) what += fmt::format(", one of {} replicas", answer.data_parallel);
  fmt::print("\n{}\n", wrapped(what, 0));
  if (model.context_tokens_max > 0 && load.context_tokens > model.context_tokens_max) {
    fmt::print("note: that is more than the model was made for\n");
  }
}

std::string cell(int64_t bytes) { return bytes == 0 ? "" : binary_text(bytes); }

// Columns without an entry end a line early.
void print_trimmed(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  fmt::print("{}\n", line);
}

void print_line(const std::string& part, const std::string& layers, const std::string& rate,
                const std::string& ram, const std::string& cold, const std::string& ssd) {
  print_trimmed(
      fmt::format("{:<18} {:>6} {:>11} {:>13} {:>13} {:>13}", part, layers, rate, ram, cold, ssd));
}

void print_total(const std::string& part, int64_t ram, std::optional<int64_t> cold,
                 std::optional<int64_t> ssd) {
  print_line(part, "", "", cell(ram), cell(cold.value_or(0)), cell(ssd.value_or(0)));
}

void print_bill(const plan::Bill& bill) {
  const bool has_tiers = bill.ram_cold_bytes.has_value();
  print_line("", "layers", "B/token", "all in RAM", has_tiers ? "cold on SSD" : "",
             bill.ssd_bytes ? "on the SSD" : "");
  for (const plan::BillLine& line : bill.lines) {
    print_line(line.part, line.layer_count == 0 ? "" : std::to_string(line.layer_count),
               line.bytes_per_token == 0 ? "" : rate_text(line.bytes_per_token),
               cell(line.ram_bytes), cell(line.ram_cold_bytes), cell(line.ssd_bytes));
  }
  print_line("cache", "", rate_text(bill.bytes_per_token), cell(bill.ram_bytes),
             cell(bill.ram_cold_bytes.value_or(0)), cell(bill.ssd_bytes.value_or(0)));
  if (bill.ram_budget_bytes) print_total("least --ram", 0, bill.ram_budget_bytes, {});
  const int64_t weights = bill.weight_bytes.value_or(0);
  const auto cold_of = [&](int64_t bytes) {
    return has_tiers ? std::optional(bytes) : std::nullopt;
  };
  if (weights > 0) print_total("weights", weights, cold_of(weights), {});
  if (bill.pass_buffer_bytes > 0) {
    print_total("pass buffers", bill.pass_buffer_bytes, cold_of(bill.pass_buffer_bytes), {});
  }
  if (const int64_t copies = bill.copied_bytes.value_or(0); copies > 0) {
    print_total("copies on loading", copies, cold_of(copies), {});
  }
  if (const int64_t panels = bill.mapped_panel_bytes; panels > 0) {
    print_total("panels, mapped", panels, cold_of(panels), {});
  }
  const int64_t beside = bill.bytes_beside_cache();
  const int64_t ram = bill.ram_bytes + beside;
  const int64_t cold = bill.ram_budget_bytes.value_or(0) + (has_tiers ? beside : 0);
  const int64_t ssd = bill.ssd_bytes.value_or(0);
  if (beside > 0) print_total("in all", ram, cold, ssd);
  const auto decimal = [](int64_t bytes) { return bytes == 0 ? "" : decimal_text(bytes); };
  print_line("the same, decimal", "", "", decimal(ram), decimal(cold), decimal(ssd));
  if (weights == 0) fmt::print("weights are not counted: --weights SIZE says how large they are\n");
}

void print_chart(const PlanAnswer& answer) {
  constexpr int kWidth = 48;
  int64_t largest = 1;
  for (const plan::Bill& bill : answer.chart) {
    largest = std::max({largest, bill.ram_bytes, bill.ram_budget_bytes.value_or(0)});
  }
  fmt::print("\ncache over context; # all in RAM{}, full width {}\n",
             answer.bill.ram_budget_bytes ? ", = least --ram" : "", binary_text(largest));
  const auto bar = [&](char mark, int64_t bytes) {
    const auto width = static_cast<int>(static_cast<double>(kWidth) * static_cast<double>(bytes) /
                                        static_cast<double>(largest));
    return std::string(static_cast<size_t>(std::clamp(width, 1, kWidth)), mark);
  };
  for (size_t i = 0; i < answer.chart.size(); ++i) {
    const plan::Bill& bill = answer.chart[i];
    fmt::print("{:>10}  {:<{}}  {:>13}\n", token_text(answer.chart_tokens[i]),
               bar('#', bill.ram_bytes), kWidth, binary_text(bill.ram_bytes));
    if (!bill.ram_budget_bytes) continue;
    fmt::print("{:>10}  {:<{}}  {:>13}\n", "", bar('=', *bill.ram_budget_bytes), kWidth,
               binary_text(*bill.ram_budget_bytes));
  }
}

std::string reach(const plan::Fit& fit) {
  if (fit.context_tokens == 0) return "none";
  return with_commas(fit.context_tokens) + (fit.is_model_limit ? " *" : "");
}

void print_measured_fits(const std::vector<plan::MeasuredFit>& measured) {
  const plan::Measurement& first = *measured.front().finding.measurement;
  const std::string what = fmt::format("what was measured on {} ({}), the least loss first",
                                       first.attention, first.model);
  fmt::print("\n{}\n", wrapped(what, 0));
  fmt::print("{:<36} {:>10} {:>19} {:>8}\n", "precision", "B/token", "context", "KL");
  for (const plan::MeasuredFit& one : measured) {
    const bool is_cold = one.fit.placement == plan::Placement::kColdOnSsd;
    fmt::print("{:<36} {:>10} {:>19} {:>8}\n", one.fit.precision + (is_cold ? ", cold on SSD" : ""),
               rate_text(one.fit.bytes_per_token), reach(one.fit),
               kl_text(one.finding.precision->kl.value));
  }
}

void print_advice(const plan::Advice& advice) {
  if (advice.choice == nullptr) {
    fmt::print("take: nothing. {}\n", advice.reason);
    return;
  }
  const bool is_cold = advice.choice->placement == plan::Placement::kColdOnSsd;
  fmt::print(
      "take: {}{}, up to {} tokens\n", advice.choice->precision,
      is_cold ? " with cold rows on SSD (" + binary_text(advice.choice->ssd_bytes) + ")" : "",
      with_commas(advice.choice->context_tokens));
  fmt::print("      {}\n", wrapped(advice.reason, 6));
}

void print_fits(const PlanAnswer& answer) {
  const plan::FitQuestion& question = answer.question;
  fmt::print("\nthe largest context within {} ({}), {} of them headroom\n",
             decimal_text(question.memory_bytes), binary_text(question.memory_bytes),
             decimal_text(question.headroom_bytes));
  const auto print_row = [](const std::string& precision, const std::string& rate,
                            const std::string& ram, const std::string& cold) {
    print_trimmed(fmt::format("{:<18} {:>12} {:>20} {:>20}", precision, rate, ram, cold));
  };
  const bool has_tiers = answer.bill.ram_budget_bytes.has_value();
  print_row("precision", "B/token", "all in RAM", has_tiers ? "cold on SSD" : "");
  for (size_t i = 0; i < answer.fits.size(); ++i) {
    const plan::Fit& fit = answer.fits[i];
    const bool has_cold =
        i + 1 < answer.fits.size() && answer.fits[i + 1].placement == plan::Placement::kColdOnSsd;
    print_row(fit.precision, rate_text(fit.bytes_per_token), reach(fit),
              has_cold ? reach(answer.fits[i + 1]) : "");
    if (has_cold) ++i;
  }
  const bool has_limit = std::any_of(answer.fits.begin(), answer.fits.end(),
                                     [](const plan::Fit& fit) { return fit.is_model_limit; });
  if (has_limit) fmt::print("* the model's own limit, or what was asked for beyond it\n");
  if (!answer.measured.empty()) print_measured_fits(answer.measured);
  print_advice(answer.advice);
}

void print_remote(const PlanAnswer& answer) {
  fmt::print("\na remote tier over {}\n", link_rate_text(answer.link_bits_per_s));
  if (!answer.remote) {
    fmt::print("{}\n", wrapped("Kvasir does not hold this model's cache this way", 0));
    return;
  }
  const plan::RemoteCost& remote = *answer.remote;
  fmt::print("block   {:>13} B, {} B/token\n", with_commas(remote.records.block_bytes),
             rate_text(remote.bytes_per_token));
  fmt::print("state   {:>13} B\n", with_commas(remote.records.state_bytes));
  fmt::print("held    {:>13}, {} objects\n", decimal_text(remote.held_bytes),
             with_commas(remote.held_objects));
  fmt::print("resume  {:>13}, {} objects, {:.3g} s\n", decimal_text(remote.resumed_bytes),
             with_commas(remote.resumed_objects), remote.resume_s);
}

}  // namespace

void print_plan(const PlanAnswer& answer) {
  print_head(answer);
  for (const std::string& note : answer.bill.notes) fmt::print("note: {}\n", wrapped(note, 6));
  fmt::print("\n");
  print_bill(answer.bill);
  print_quality(answer.quality);
  print_chart(answer);
  if (!answer.fits.empty()) print_fits(answer);
  if (answer.link_bits_per_s > 0) print_remote(answer);
}

void print_plan_csv(const PlanAnswer& answer) {
  fmt::print("context_tokens,part,layers,bytes_per_token,ram_bytes,ram_cold_bytes,ssd_bytes\n");
  for (size_t i = 0; i < answer.chart.size(); ++i) {
    for (const plan::BillLine& line : answer.chart[i].lines) {
      fmt::print("{},{},{},{},{},{},{}\n", answer.chart_tokens[i], line.part, line.layer_count,
                 line.bytes_per_token, line.ram_bytes, line.ram_cold_bytes, line.ssd_bytes);
    }
  }
}

void print_plan_names(const std::vector<plan::Measurement>& measurements) {
  fmt::print("models\n");
  for (const plan::BuiltInModel& model : plan::built_in_models()) {
    fmt::print("  {:<26} {}{}\n", model.name, model.title,
               model.is_confirmed ? "" : " (config from memory)");
  }
  const auto print_words = [](const char* title, const std::vector<std::string>& words) {
    fmt::print("\n{}\n  {}\n", title, wrapped(fmt::format("{}", fmt::join(words, " ")), 2));
  };
  print_words("architectures (model_type of a config)", plan::known_architectures());
  print_words("architectures (of a GGUF file)", plan::known_gguf_architectures());
  fmt::print("\nprecisions (k: Kvasir runs DeepSeek-V4 so)\n");
  for (const plan::PrecisionInfo& precision : plan::precisions()) {
    fmt::print("{} {:<18} {}\n", precision.runs_here ? 'k' : ' ', precision.name, precision.what);
  }
  fmt::print(
      "\ncodings of a cache held here, k=NAME,v=NAME (docs/precision.md), and their KL\n"
      "where it was measured, by kind of attention; of deepseek-v4 that of answers\n");
  for (const CacheCoding& coding : cache_codings()) {
    fmt::print("  {:<13} {:<19} {}{}\n", coding.name, measured_cell(coding.name, measurements),
               coding.what, coding.needs_learning ? " (--kv-data)" : "");
  }
  for (const plan::Measurement& measurement : measurements) print_best(measurement);
}

}  // namespace kvasir::cli
