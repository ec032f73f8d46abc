// kvasir demo: reads a book with one sentence planted in it, and answers a question about that
// sentence.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>

#include "base/json.h"
#include "base/process_memory.h"
#include "base/random.h"
#include "base/text_file.h"
#include "cli/bundled.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/message_text.h"
#include "cli/model_options.h"
#include "cli/notes.h"
#include "cli/output.h"
#include "eval/recall_document.h"
#include "eval/recall_task.h"
#include "kvasir/chat.h"
#include "kvasir/engine.h"

namespace kvasir::cli {
namespace {

struct DemoOptions {
  ModelFlags model;
  std::string book_path;
  std::string fact;
  std::string question;
  double place_percent = 2;
  uint64_t seed = 1;
  int64_t answer_tokens_max = 32;
  bool json = false;
};

struct PlantedBook {
  std::string text;
  size_t fact_end = 0;  // in bytes
};

// After the sentence that ends nearest behind the place asked for.
PlantedBook plant(const std::string& book, const std::string& fact, double place_percent) {
  const auto place = static_cast<size_t>(static_cast<double>(book.size()) * place_percent / 100);
  const size_t at = eval::sentence_end(book, std::min(place, book.size()));
  const std::string planted = (at == 0 ? "" : " ") + fact;
  return {.text = book.substr(0, at) + planted + book.substr(at), .fact_end = at + planted.size()};
}

// A sentence and a question of the recall task, unless the user gave both.
Status choose_fact(DemoOptions& options) {
  if (!options.fact.empty()) return ok_status();
  KVASIR_ASSIGN_OR_RETURN(const std::string path,
                          bundled_path(kRecallTask, "give --fact and --question"));
  KVASIR_ASSIGN_OR_RETURN(const eval::RecallTask task, eval::load_recall_task(path));
  Random random(options.seed);
  const eval::FactKind& kind = random.pick(task.kinds);
  // One draw a statement: within one, their order would be the compiler's choice.
  const std::string& last = random.pick(task.last_names);
  const std::string person = random.pick(task.first_names) + " " + last;
  const std::string& object = random.pick(kind.objects);
  const std::string value = eval::draw_value(kind, random);
  const std::string& phrase = random.pick(kind.facts);
  options.fact = eval::fill_slots(phrase, {.person = person, .object = object, .value = value});
  options.question =
      eval::fill_slots(random.pick(kind.questions), {.person = person, .object = object});
  return ok_status();
}

struct DemoReport {
  int64_t fact_distance_tokens = 0;  // from its last token to the first of the answer
  int64_t kv_bytes = 0;
  ChatTurn turn;
};

Result<DemoReport> read_and_ask(Engine& engine, const DemoOptions& options, const PlantedBook& book,
                                const InterruptGuard& interrupt) {
  DemoReport report;
  const std::string before = book.text.substr(0, book.fact_end);
  KVASIR_ASSIGN_OR_RETURN(const auto until_fact, engine.encode(before));
  KVASIR_ASSIGN_OR_RETURN(Chat chat, Chat::create(engine, {}));
  ProgressLine progress("reading");
  GenerateOptions generate;
  generate.tokens_max = options.answer_tokens_max;
  generate.interrupted = interrupt.flag();
  KVASIR_ASSIGN_OR_RETURN(report.turn, chat.turn(book.text + "\n\n" + options.question, generate,
                                                 {}, [&](int64_t done, int64_t total) {
                                                   progress.show(done, total);
                                                   return !interrupt.interrupted();
                                                 }));
  // Without a word of the answer there is nothing to report.
  if (report.turn.generated_tokens == 0) KVASIR_RETURN_IF_ERROR(interrupt.status());
  note_context(engine.info(), report.turn.prompt_tokens + report.turn.generated_tokens);
  // `until_fact` has a BOS and no marker of the user, so its size is the place of the fact's last
  // token.
  report.fact_distance_tokens = report.turn.prompt_tokens - std::ssize(until_fact);
  report.kv_bytes = engine.kv_bytes();
  return report;
}

void print_json(const DemoOptions& options, const DemoReport& report) {
  const ChatTurn& turn = report.turn;
  const Json::Object object{{"fact", options.fact},
                            {"question", options.question},
                            {"answer", turn.answer},
                            {"fact_distance_tokens", report.fact_distance_tokens},
                            {"prompt_tokens", turn.prompt_tokens},
                            {"kv_bytes", report.kv_bytes},
                            {"kv", options.model.kv},
                            {"prefill_ms", turn.prefill_ms},
                            {"ttft_ms", turn.ttft_ms},
                            {"decode_ms", turn.decode_ms},
                            {"stop_reason", name_of(turn.stop_reason)},
                            {"rss_peak_bytes", rss_peak_bytes()},
                            {"notes", notes_json()}};
  std::printf("%s\n", Json(object).dump().c_str());
}

void print_text(const DemoOptions& options, const DemoReport& report, const std::string& book) {
  const ChatTurn& turn = report.turn;
  const auto tokens = static_cast<double>(turn.prompt_tokens);
  std::printf("read      %s, %lld tokens in %.1f s\n", book.c_str(),
              static_cast<long long>(turn.prompt_tokens), turn.prefill_ms / 1000);
  std::printf("planted   %s\n", options.fact.c_str());
  std::printf("question  %s\n", options.question.c_str());
  std::printf("answer    %s\n", turn.answer.c_str());
  std::printf("distance  the planted sentence lay %lld tokens back\n",
              static_cast<long long>(report.fact_distance_tokens));
  std::printf("cache     %lld bytes, %.1f per token (%s)\n",
              static_cast<long long>(report.kv_bytes),
              static_cast<double>(report.kv_bytes) / tokens, options.model.kv.c_str());
}

Status run(DemoOptions options) {
  if (options.fact.empty() != options.question.empty()) {
    return Error{.kind = ErrorKind::kUsage, .what = "--fact and --question go together"};
  }
  KVASIR_ASSIGN_OR_RETURN(options.fact, message_text(options.fact, "--fact"));
  KVASIR_ASSIGN_OR_RETURN(options.question, message_text(options.question, "--question"));
  KVASIR_RETURN_IF_ERROR(choose_fact(options));
  KVASIR_ASSIGN_OR_RETURN(const std::string path,
                          given_or_bundled(options.book_path, kBook, "name one with --book"));
  KVASIR_ASSIGN_OR_RETURN(const std::string file, read_text_file(path));
  const PlantedBook book = plant(with_plain_line_ends(file), options.fact, options.place_percent);
  KVASIR_ASSIGN_OR_RETURN(Engine engine, open_engine(options.model, true));
  const InterruptGuard interrupt;
  KVASIR_ASSIGN_OR_RETURN(const DemoReport report, read_and_ask(engine, options, book, interrupt));
  if (options.json) {
    print_json(options, report);
  } else {
    print_text(options, report, options.book_path.empty() ? kBook : options.book_path);
  }
  KVASIR_RETURN_IF_ERROR(flush_output());
  return interrupt.status();
}

}  // namespace

void add_demo_command(Command program) {
  auto options = std::make_shared<DemoOptions>();
  Command command = program.add_command(
      "demo", "plant a sentence in a book, read the book, answer a question about the sentence");
  add_model_options(command, options->model);
  command.add_option("--book", options->book_path, "text file; a bundled novel if left out")
      .value_name("FILE")
      .check(not_empty);
  command
      .add_option("--fact", options->fact, "the sentence to plant; drawn by the seed if left out")
      .check(not_empty);
  command.add_option("--question", options->question, "what to ask, with --fact").check(not_empty);
  command.add_option("--at", options->place_percent, "where in the book, in percent of its length")
      .check_real_range(0, 100)
      .show_default();
  add_seed_option(command, options->seed, "other seeds plant other sentences");
  add_json_option(command, options->json);
  on_chosen(command, options, run);
}

}  // namespace kvasir::cli
