// kvasir plan: what a model's cache costs, before anything is loaded.
#include <fmt/format.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/processors.h"
#include "base/text_file.h"
#include "cli/bundled.h"
#include "cli/commands.h"
#include "cli/link_rate.h"
#include "cli/model_options.h"
#include "cli/output.h"
#include "cli/plan_report.h"
#include "cli/size.h"
#include "plan/page.h"

namespace kvasir::cli {
namespace {

constexpr int64_t kDefaultContext = 131072;  // of a model that does not say how far it goes
constexpr int64_t kHeadroomShare = 10;       // a tenth of the memory
constexpr int64_t kSequencesMax = int64_t{1} << 20;

struct PlanOptions {
  std::string target;
  std::string context;
  std::string memory;
  std::string headroom;
  std::string weights;
  std::string link;
  std::string shared_prefix;
  std::string html_path;
  std::string quality_path;
  std::string panels;
  plan::CostOptions cost;
  int64_t sequences = 1;
  int data_parallel = 1;
  int threads = 0;
  bool list = false;
  bool json = false;
  bool csv = false;
};

// Contexts of the chart: powers of four, and the one asked for.
std::vector<int64_t> chart_contexts(int64_t context_tokens) {
  std::vector<int64_t> contexts;
  constexpr int64_t kFirst = 4096;
  for (int64_t tokens = kFirst; tokens < context_tokens; tokens *= 4) contexts.push_back(tokens);
  contexts.push_back(context_tokens);
  return contexts;
}

Result<plan::CacheModel> read_model(const PlanOptions& options) {
  std::string target = model_called(options.target);
  if (target.empty()) {
    KVASIR_ASSIGN_OR_RETURN(target, bundled_path(kBundledModel, "name a model or a config"));
  }
  KVASIR_ASSIGN_OR_RETURN(plan::CacheModel model, plan::open_model(target));
  if (!options.weights.empty()) model.weight_bytes = parse_size_bytes(options.weights);
  return model;
}

// Of one replica: sequences are dealt out over them.
plan::Load load_of(const PlanOptions& options, const plan::CacheModel& model) {
  const int64_t own = model.context_tokens_max == 0 ? kDefaultContext : model.context_tokens_max;
  plan::Load load{.context_tokens = options.context.empty() ? std::min(own, plan::kContextTokensMax)
                                                            : *parse_token_count(options.context)};
  load.sequences = (options.sequences + options.data_parallel - 1) / options.data_parallel;
  if (!options.shared_prefix.empty()) {
    load.shared_prefix_tokens = *parse_token_count(options.shared_prefix);
  }
  return load;
}

Status check(const plan::Load& load) {
  if (load.context_tokens == 0) {
    return Error{.kind = ErrorKind::kUsage,
                 .what = "nothing is planned for no tokens",
                 .where = "--context",
                 .expected = "at least 1",
                 .found = "0"};
  }
  if (load.context_tokens > plan::kContextTokensMax) {
    return Error{.kind = ErrorKind::kUsage,
                 .what = "a context of that length is not planned",
                 .where = "--context",
                 .expected = fmt::format("at most {} tokens", plan::kContextTokensMax),
                 .found = std::to_string(load.context_tokens)};
  }
  if (load.shared_prefix_tokens <= load.context_tokens) return ok_status();
  return Error{.kind = ErrorKind::kUsage,
               .what = "a prefix cannot be longer than the sequences",
               .where = "--shared-prefix",
               .expected = fmt::format("at most {} tokens", load.context_tokens),
               .found = std::to_string(load.shared_prefix_tokens)};
}

Status add_fits(const PlanOptions& options, PlanAnswer& answer) {
  if (options.memory.empty()) return ok_status();
  plan::FitQuestion& question = answer.question;
  question.memory_bytes = *parse_size_bytes(options.memory);
  question.headroom_bytes = options.headroom.empty() ? question.memory_bytes / kHeadroomShare
                                                     : *parse_size_bytes(options.headroom);
  if (question.headroom_bytes > question.memory_bytes) {
    return Error{.kind = ErrorKind::kUsage,
                 .what = "more headroom than memory",
                 .where = "--headroom",
                 .expected = fmt::format("at most {} bytes", question.memory_bytes),
                 .found = std::to_string(question.headroom_bytes)};
  }
  question.load = answer.load;
  if (options.context.empty()) question.load.context_tokens = 0;
  question.thread_count = answer.thread_count;
  KVASIR_ASSIGN_OR_RETURN(answer.fits, plan::find_fits(answer.model, answer.options, question));
  answer.measured =
      plan::find_measured_fits(answer.model, answer.options, question, answer.measurements);
  answer.advice = plan::choose(answer.model, answer.fits, answer.measured, question);
  return ok_status();
}

// The user's own first: of several the first counts.
Result<std::vector<plan::Measurement>> read_measurements(const PlanOptions& options) {
  std::vector<plan::Measurement> measurements;
  if (!options.quality_path.empty()) {
    KVASIR_ASSIGN_OR_RETURN(const std::string text, read_text_file(options.quality_path));
    KVASIR_ASSIGN_OR_RETURN(measurements, plan::parse_measurements(text, options.quality_path));
  }
  const std::vector<plan::Measurement>& own = plan::own_measurements();
  measurements.insert(measurements.end(), own.begin(), own.end());
  return measurements;
}

Status add_quality(const PlanOptions& options, PlanAnswer& answer) {
  KVASIR_ASSIGN_OR_RETURN(answer.measurements, read_measurements(options));
  answer.quality = plan::quality_of(answer.model, answer.options.precision, answer.measurements);
  std::string note = plan::name_note(answer.model, answer.options.precision, answer.load);
  if (!note.empty()) answer.bill.notes.push_back(std::move(note));
  return ok_status();
}

void add_remote(const PlanOptions& options, PlanAnswer& answer) {
  if (options.link.empty()) return;
  answer.link_bits_per_s = *parse_link_rate(options.link);
  if (!answer.bill.records) return;
  answer.remote = plan::remote_cost(*answer.bill.records, answer.load, answer.link_bits_per_s);
}

Result<PlanAnswer> answer_of(const PlanOptions& options) {
  PlanAnswer answer;
  KVASIR_ASSIGN_OR_RETURN(answer.model, read_model(options));
  answer.options = options.cost;
  answer.options.maps_panels = !options.panels.empty();
  answer.load = load_of(options, answer.model);
  KVASIR_RETURN_IF_ERROR(check(answer.load));
  answer.data_parallel = options.data_parallel;
  answer.thread_count = options.threads == 0 ? processors_of_this_process() : options.threads;
  answer.chart_tokens = chart_contexts(answer.load.context_tokens);
  for (const int64_t tokens : answer.chart_tokens) {
    plan::Load load = answer.load;
    load.context_tokens = tokens;
    KVASIR_ASSIGN_OR_RETURN(
        plan::Bill bill, plan::make_bill(answer.model, answer.options, load, answer.thread_count));
    answer.chart.push_back(std::move(bill));
  }
  answer.bill = answer.chart.back();  // of the context asked for
  KVASIR_RETURN_IF_ERROR(add_quality(options, answer));
  KVASIR_RETURN_IF_ERROR(add_fits(options, answer));
  add_remote(options, answer);
  return answer;
}

// As they are written on a command line: what the page's own fields do not hold.
std::vector<std::string> flags_of(const PlanOptions& options) {
  const plan::CostOptions& cost = options.cost;
  const plan::CostOptions usual;
  std::vector<std::string> flags;
  const auto add = [&](bool is_given, const char* flag, const std::string& value) {
    if (is_given) flags.push_back(value.empty() ? flag : fmt::format("{} {}", flag, value));
  };
  const auto add_number = [&](const char* flag, int64_t value, int64_t absent) {
    add(value != absent, flag, std::to_string(value));
  };
  add(!cost.index_precision.empty(), "--index", cost.index_precision);
  add(!cost.state_precision.empty(), "--state", cost.state_precision);
  add_number("--page", cost.page_tokens, usual.page_tokens);
  add_number("--tp", cost.tensor_parallel, usual.tensor_parallel);
  add_number("--dp", options.data_parallel, 1);
  add_number("--chunk", cost.pass_tokens, usual.pass_tokens);
  add(cost.keeps_whole_windows, "--whole-windows", "");
  add(cost.with_draft, "--draft", "");
  return flags;
}

Status write_page(const PlanOptions& options) {
  plan::PageStart start{.argument = options.target,
                        .cost = options.cost,
                        .flags = flags_of(options),
                        .context = options.context,
                        .memory = options.memory,
                        .headroom = options.headroom,
                        .weights = options.weights,
                        .shared_prefix = options.shared_prefix,
                        .sequences = options.sequences,
                        .replicas = options.data_parallel};
  if (options.target.empty()) {
    KVASIR_RETURN_IF_ERROR(check(load_of(options, {})));
  } else {
    // What the command would refuse is not shown either.
    KVASIR_ASSIGN_OR_RETURN(PlanAnswer answer, answer_of(options));
    start.model = std::move(answer.model);
  }
  KVASIR_ASSIGN_OR_RETURN(const std::string page, plan::make_page(start));
  return write_text_file(options.html_path, page);
}

Status print_list(const PlanOptions& options) {
  KVASIR_ASSIGN_OR_RETURN(const auto measurements, read_measurements(options));
  if (options.json) {
    fmt::print("{}\n", plan_names_json(measurements));
  } else {
    print_plan_names(measurements);
  }
  return flush_output();
}

Status run(const PlanOptions& options) {
  if (options.list) return print_list(options);
  if (!options.html_path.empty()) return write_page(options);
  KVASIR_ASSIGN_OR_RETURN(const PlanAnswer answer, answer_of(options));
  if (options.json) {
    fmt::print("{}\n", plan_json(answer));
  } else if (options.csv) {
    print_plan_csv(answer);
  } else {
    print_plan(answer);
  }
  return flush_output();
}

void add_cost_options(Command command, plan::CostOptions& cost) {
  command.add_option("--kv", cost.precision, "how rows are held; --list shows the ways")
      .show_default();
  command.add_option("--index", cost.index_precision, "how index keys are held, if not as rows");
  command.add_option("--state", cost.state_precision, "how recurrent states are held (f32)");
  command.add_option("--page", cost.page_tokens, "tokens that the engine allocates at a time")
      .check_range(1, plan::kPageTokensMax)
      .show_default();
  command.add_option("--tp", cost.tensor_parallel, "tensor-parallel ranks; the bill is one's")
      .check_range(1, plan::kRanksMax)
      .show_default();
  command.add_flag("--whole-windows", cost.keeps_whole_windows,
                   "layers with a window keep all tokens, as prefix caches of some engines need");
  command.add_flag("--draft", cost.with_draft, "count the layers of the draft model too");
  command.add_option("--chunk", cost.pass_tokens, "tokens per forward pass (Kvasir)")
      .check_range(1, plan::kPassTokensMax)
      .show_default();
}

}  // namespace

void add_plan_command(Command program) {
  auto options = std::make_shared<PlanOptions>();
  Command command =
      program.add_command("plan", "the memory bill of a model's cache, before anything is loaded");
  command
      .add_option("MODEL", options->target,
                  "a checkpoint directory, a config.json, a GGUF file, or a name")
      .value_name("PATH");
  command.add_option("--context", options->context, "tokens of a sequence (the model's limit)")
      .check(is_token_count);
  add_cost_options(command, options->cost);
  command.add_option("--sequences", options->sequences, "sequences at a time")
      .check_range(1, kSequencesMax)
      .show_default();
  command
      .add_option("--shared-prefix", options->shared_prefix, "tokens that all sequences begin with")
      .check(is_token_count);
  command.add_option("--dp", options->data_parallel, "replicas; the bill is one's")
      .check_range(1, 1 << 16)
      .show_default();
  const Option memory =
      command.add_option("--memory", options->memory, "what fits into that much, of one rank")
          .value_name("SIZE")
          .check(is_size);
  command.add_option("--headroom", options->headroom, "of the memory, left free (a tenth)")
      .needs(memory)
      .check(is_size);
  command.add_option("--weights", options->weights, "size of the weights, all ranks together")
      .value_name("SIZE")
      .check(is_size);
  command.add_option("--threads", options->threads, "of the forward pass; 0: one per processor")
      .check_range(0, 1024);
  const Option json = add_json_option(command, options->json);
  const Option csv =
      command.add_flag("--csv", options->csv, "print the bill over contexts").excludes(json);
  const Option html =
      command.add_option("--html", options->html_path, "write one page to plan in a browser")
          .value_name("FILE")
          .check(not_empty)
          .excludes(csv)
          .excludes(json);
  add_panels_option(command, options->panels,
                    "of a run that keeps its panels in a file there, mapped as the weights are")
      .excludes(html);
  command
      .add_option("--quality", options->quality_path,
                  "file of measured quality besides what comes along ('kvasir eval codecs')")
      .value_name("FILE")
      .check(not_empty)
      .excludes(html);
  command
      .add_option("--link", options->link,
                  "what a remote tier holds, and what a resume moves over that link")
      .value_name("RATE")
      .check(is_link_rate)
      .excludes(csv)
      .excludes(html);
  command.add_flag("--list", options->list, "print the known models and precisions");
  on_chosen(command, options, run);
}

}  // namespace kvasir::cli
