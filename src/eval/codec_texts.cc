#include "eval/codec_texts.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "base/stopwatch.h"
#include "base/thread_pool.h"
#include "eval/token_comparison.h"

namespace kvasir::eval {
namespace {

int64_t tokens_of(const TextSpans& texts) {
  int64_t count = 0;
  for (const auto& text : texts) count += std::ssize(text);
  return count;
}

// What is found of each predicted token of a text.
struct TextRun {
  std::vector<double> kl;
  std::vector<double> nats;
  std::vector<double> nats_more;
  std::vector<uint8_t> same;

  explicit TextRun(int64_t count)
      : kl(static_cast<size_t>(count)), nats(kl), nats_more(kl), same(kl.size()) {}

  void set(int64_t index, const TokenComparison& found) {
    const auto i = static_cast<size_t>(index);
    kl[i] = found.kl;
    nats[i] = found.nats;
    nats_more[i] = found.nats - found.baseline_nats;
    same[i] = found.has_same_best ? 1 : 0;
  }
  bool is_finite() const {
    return std::all_of(nats.begin(), nats.end(), [](double value) { return std::isfinite(value); });
  }
};

// One text's tokens, and where the exact logits of the first one stand.
struct TextPlace {
  std::span<const int32_t> ids;
  int64_t first_row = 0;
  int64_t skip = 0;
};

class TextComparer {
 public:
  TextComparer(Engine& engine, const LogitsFile& exact, CodecWork& work)
      : engine_(engine), exact_(exact), work_(work), pool_(engine.info().thread_count) {}

  Result<TextRun> run(const TextPlace& text) {
    TextRun found(std::ssize(text.ids) - 1 - text.skip);
    KVASIR_ASSIGN_OR_RETURN(Session session, engine_.new_session());
    const auto vocab = static_cast<size_t>(engine_.info().vocab_size);
    int64_t position = 0;
    Stopwatch pass;
    KVASIR_RETURN_IF_ERROR(
        session.append_with_logits(text.ids, [&](std::span<const float> logits) -> Status {
          prefill_ms_ += pass.elapsed_ms();
          const auto count = static_cast<int64_t>(logits.size() / vocab);
          compare(text, position, logits, count, found);
          position += count;
          pass = Stopwatch();
          return work_.add(count);
        }));
    if (found.is_finite()) return found;
    return Error{.kind = ErrorKind::kDamaged, .what = "a logit that is not finite"};
  }
  double prefill_ms() const { return prefill_ms_; }

 private:
  // Each token predicts the next one.
  void compare(const TextPlace& text, int64_t first, std::span<const float> logits, int64_t count,
               TextRun& found) {
    const auto vocab = logits.size() / static_cast<size_t>(count);
    const int64_t last = std::ssize(text.ids) - 1;
    pool_.parallel_for(count, [&](int64_t i, int) {
      const int64_t position = first + i;
      if (position < text.skip || position == last) return;
      found.set(position - text.skip,
                compare_logits(exact_.row(text.first_row + position),
                               logits.subspan(static_cast<size_t>(i) * vocab, vocab),
                               text.ids[static_cast<size_t>(position) + 1]));
    });
  }

  Engine& engine_;
  const LogitsFile& exact_;
  CodecWork& work_;
  ThreadPool pool_;
  double prefill_ms_ = 0;
};

double mean_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

TextScores scores_of(const std::vector<TextRun>& runs) {
  TextScores scores;
  std::vector<std::vector<double>> kl;
  std::vector<std::vector<double>> nats_more;
  std::vector<double> all_kl;
  double nats = 0;
  for (const TextRun& run : runs) {
    kl.push_back(run.kl);
    nats_more.push_back(run.nats_more);
    all_kl.insert(all_kl.end(), run.kl.begin(), run.kl.end());
    scores.same_count += std::accumulate(run.same.begin(), run.same.end(), int64_t{0});
    scores.text_nats.push_back(mean_of(run.nats));
    nats += std::accumulate(run.nats.begin(), run.nats.end(), 0.0);
  }
  scores.kl = mean_of_series(kl);
  scores.nats_more = mean_of_series(nats_more);
  scores.nats = nats / static_cast<double>(all_kl.size());
  scores.kl_99 = quantile(std::move(all_kl), 0.99);
  return scores;
}

}  // namespace

Result<LogitsFile> exact_logits(Engine& engine, const TextSpans& texts, CodecWork& work) {
  KVASIR_ASSIGN_OR_RETURN(
      LogitsFile file,
      LogitsFile::create(folder_for_large_files(), tokens_of(texts), engine.info().vocab_size));
  const auto pass_tokens = static_cast<size_t>(engine.info().pass_tokens_max);
  int64_t row = 0;
  for (std::span<const int32_t> rest : texts) {
    KVASIR_ASSIGN_OR_RETURN(Session session, engine.new_session());
    while (!rest.empty()) {
      const auto tokens = rest.first(std::min(rest.size(), pass_tokens));
      const BatchInput input{
          .session = &session, .tokens = tokens, .all_logits = file.rows(row, std::ssize(tokens))};
      KVASIR_RETURN_IF_ERROR(engine.append_batch({&input, 1}));
      KVASIR_RETURN_IF_ERROR(work.add(std::ssize(tokens)));
      row += std::ssize(tokens);
      rest = rest.subspan(tokens.size());
    }
  }
  return file;
}

Result<TextScores> score_texts(Engine& engine, const TextSpans& texts, int64_t skip,
                               const LogitsFile& exact, CodecWork& work) {
  TextComparer comparer(engine, exact, work);
  std::vector<TextRun> runs;
  int64_t row = 0;
  for (const auto& text : texts) {
    KVASIR_ASSIGN_OR_RETURN(TextRun run, comparer.run({text, row, skip}));
    runs.push_back(std::move(run));
    row += std::ssize(text);
  }
  TextScores scores = scores_of(runs);
  scores.prefill_tokens_per_s = static_cast<double>(tokens_of(texts)) / comparer.prefill_ms() * 1e3;
  return scores;
}

}  // namespace kvasir::eval
