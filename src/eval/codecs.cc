#include "eval/codecs.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/check.h"
#include "eval/codec_tasks.h"
#include "eval/codec_texts.h"
#include "eval/logits_file.h"

namespace kvasir::eval {
namespace {

// Fewer coded blocks would say little, and none nothing.
constexpr int64_t kTextTokensMin = 256;
// What an engine reads at once at most.
constexpr int64_t kPassTokensMax = 65536;
constexpr const char* kContinuations = "continuations";

std::string entry_name(const char* part, const std::string& precision) {
  return std::string(part) + "/" + precision;
}

// The sums of what a study says of several texts.
class ErrorSums {
 public:
  explicit ErrorSums(size_t precision_count) : sums_(precision_count) {}

  CodingSink sink() {
    return [this](size_t coding, int64_t layer, const CodingErrors& errors) {
      std::vector<CodingErrors>& layers = sums_[coding];
      layers.resize(std::max(layers.size(), static_cast<size_t>(layer) + 1));
      CodingErrors& sum = layers[static_cast<size_t>(layer)];
      add(errors.keys, sum.keys);
      add(errors.values, sum.values);
      add(errors.attended, sum.attended);
    };
  }
  CodecErrors summary(size_t precision) const { return summarise(sums_[precision]); }

 private:
  static void add(const CodedDistance& more, CodedDistance& sum) {
    sum.error_squares += more.error_squares;
    sum.exact_squares += more.exact_squares;
  }
  std::vector<std::vector<CodingErrors>> sums_;
};

class Evaluation {
 public:
  Evaluation(const std::vector<CodecText>& texts, const std::vector<int32_t>& before,
             const CodecsOptions& options, const std::vector<std::string>& precisions,
             const OpenCodecEngine& open_engine, ResultLog& log, const EvalProgress& progress)
      : texts_(texts),
        before_(before),
        options_(options),
        precisions_(precisions),
        open_engine_(open_engine),
        log_(log),
        work_(progress, total_tokens()) {
    for (const CodecText& text : texts) {
      const auto count = std::min(std::ssize(text.ids), options.tokens);
      spans_.push_back(std::span(text.ids).first(static_cast<size_t>(count)));
    }
  }

  Status check() const {
    if (options_.diverges) {
      KVASIR_ASSIGN_OR_RETURN(const auto prompts, prompts_of(texts_, before_));
    }
    for (size_t i = 0; i < spans_.size(); ++i) {
      const int64_t least = std::max(kTextTokensMin, options_.skip + 2);
      if (std::ssize(spans_[i]) >= least) continue;
      return Error{.kind = ErrorKind::kUsage,
                   .what = "too few tokens of a text",
                   .where = texts_[i].name,
                   .expected = "at least " + std::to_string(least),
                   .found = std::to_string(spans_[i].size()),
                   .remedy = "more tokens, or a longer text"};
    }
    return ok_status();
  }

  Status measure_exact() {
    const std::vector<std::string> missing = without_entry();
    const bool needs_continuations = options_.diverges && log_.find(kContinuations) == nullptr;
    if (needs_continuations) KVASIR_RETURN_IF_ERROR(log_continuations());
    if (missing.empty()) return ok_status();
    ErrorSums sums(missing.size());
    KVASIR_ASSIGN_OR_RETURN(Engine engine, open_exact(missing, sums));
    KVASIR_ASSIGN_OR_RETURN(exact_, exact_logits(engine, spans_, work_));
    for (size_t i = 0; i < missing.size(); ++i) {
      KVASIR_RETURN_IF_ERROR(log_.add(entry_name("errors", missing[i]), to_json(sums.summary(i))));
    }
    return ok_status();
  }

  Status measure(const std::string& precision) {
    std::optional<Engine> engine;
    const auto unless_logged = [&](const char* part, const auto& score) -> Status {
      const std::string name = entry_name(part, precision);
      if (log_.find(name) != nullptr) return ok_status();
      if (!engine) {
        KVASIR_ASSIGN_OR_RETURN(engine, open_engine_(precision, 0, {}));
      }
      KVASIR_ASSIGN_OR_RETURN(const auto found, score());
      return log_.add(name, to_json(found));
    };
    KVASIR_RETURN_IF_ERROR(unless_logged(
        "texts", [&] { return score_texts(*engine, spans_, options_.skip, exact_, work_); }));
    if (options_.copies) {
      KVASIR_RETURN_IF_ERROR(
          unless_logged("copy", [&] { return score_copy(*engine, before_, work_); }));
    }
    if (!options_.diverges) return ok_status();
    KVASIR_ASSIGN_OR_RETURN(std::vector<Continuation> prompts, prompts_of(texts_, before_));
    KVASIR_RETURN_IF_ERROR(take_continuations(*log_.find(kContinuations), prompts));
    return unless_logged("divergence", [&] { return score_divergence(*engine, prompts, work_); });
  }

  Result<CodecScores> scores(const std::string& precision, const CacheSize& size) const {
    CodecScores scores{.precision = precision, .size = size};
    KVASIR_ASSIGN_OR_RETURN(scores.texts, entry(text_scores_of, "texts", precision));
    KVASIR_ASSIGN_OR_RETURN(scores.errors, entry(codec_errors_of, "errors", precision));
    if (options_.copies) {
      KVASIR_ASSIGN_OR_RETURN(scores.copy, entry(copy_score_of, "copy", precision));
    }
    if (options_.diverges) {
      KVASIR_ASSIGN_OR_RETURN(scores.divergence,
                              entry(divergence_score_of, "divergence", precision));
    }
    return scores;
  }

 private:
  template <class Value>
  Result<Value> entry(Result<Value> (*read)(const Json& entry), const char* part,
                      const std::string& precision) const {
    const std::string name = entry_name(part, precision);
    const Json* found = log_.find(name);
    KVASIR_CHECK(found != nullptr, "every part has been measured");
    Result<Value> value = read(*found);
    if (value.ok()) return value;
    Error error = std::move(value).error();
    error.where = name;
    return error;
  }

  std::vector<std::string> without_entry() const {
    std::vector<std::string> missing;
    for (const std::string& precision : precisions_) {
      if (log_.find(entry_name("texts", precision)) != nullptr &&
          log_.find(entry_name("errors", precision)) != nullptr) {
        continue;
      }
      missing.push_back(precision);
    }
    return missing;
  }

  // Of what is not logged.
  int64_t total_tokens() const {
    int64_t text_tokens = 0;
    for (const CodecText& text : texts_) {
      text_tokens += std::min(std::ssize(text.ids), options_.tokens);
    }
    int64_t total = 0;
    const auto add_unless_logged = [&](const std::string& name, int64_t tokens) {
      if (log_.find(name) == nullptr) total += tokens;
    };
    if (!without_entry().empty()) total += text_tokens;
    if (options_.diverges) add_unless_logged(kContinuations, divergence_tokens());
    for (const std::string& precision : precisions_) {
      add_unless_logged(entry_name("texts", precision), text_tokens);
      if (options_.copies) add_unless_logged(entry_name("copy", precision), copy_tokens());
      if (options_.diverges) {
        add_unless_logged(entry_name("divergence", precision), divergence_tokens());
      }
    }
    return total;
  }

  // With the study, where the model has one and takes the texts in one pass.
  Result<Engine> open_exact(const std::vector<std::string>& precisions, ErrorSums& sums) const {
    const StudyOptions study{.codings = precisions, .on_coding_errors = sums.sink()};
    if (options_.tokens <= kPassTokensMax) {
      Result<Engine> engine = open_engine_(kExactPrecision, options_.tokens, study);
      if (engine.ok() || engine.error().field != "codings") return engine;
    }
    return open_engine_(kExactPrecision, 0, {});
  }

  Status log_continuations() {
    KVASIR_ASSIGN_OR_RETURN(Engine engine, open_engine_(kExactPrecision, 0, {}));
    KVASIR_ASSIGN_OR_RETURN(std::vector<Continuation> prompts, prompts_of(texts_, before_));
    KVASIR_RETURN_IF_ERROR(continue_prompts(engine, prompts, work_));
    return log_.add(kContinuations, to_json(prompts));
  }

  const std::vector<CodecText>& texts_;
  const std::vector<int32_t>& before_;
  const CodecsOptions& options_;
  const std::vector<std::string>& precisions_;
  const OpenCodecEngine& open_engine_;
  ResultLog& log_;
  CodecWork work_;
  TextSpans spans_;
  LogitsFile exact_;
};

Result<std::vector<CacheSize>> sizes_of(const std::vector<std::string>& precisions,
                                        const OpenCodecEngine& open_engine) {
  KVASIR_ASSIGN_OR_RETURN(const Engine engine, open_engine(kExactPrecision, 0, {}));
  std::vector<CacheSize> sizes;
  for (const std::string& precision : precisions) {
    if (std::count(precisions.begin(), precisions.end(), precision) > 1) {
      return Error{.kind = ErrorKind::kUsage,
                   .what = "the same precision twice",
                   .field = "kv",
                   .found = precision};
    }
    KVASIR_ASSIGN_OR_RETURN(const CacheSize size, engine.cache_size(precision));
    sizes.push_back(size);
  }
  return sizes;
}

}  // namespace

std::vector<std::string> usual_precisions(const Engine& engine, bool has_data) {
  std::vector<std::string> precisions;
  const auto block_bytes = [&engine](const std::string& precision) {
    const Result<CacheSize> size = engine.cache_size(precision);
    return size.ok() ? size->block_bytes : -1;
  };
  const auto add = [&](const std::string& precision) {
    if (block_bytes(precision) >= 0) precisions.push_back(precision);
  };
  const int64_t native = block_bytes("native");
  if (native != block_bytes("bf16")) add("native");
  for (const CacheCoding& coding : cache_codings()) {
    // What leaves all rows as they are is not worth a run.
    if (coding.is_for_some && block_bytes(coding.name) == native) continue;
    if (coding.needs_learning && !has_data) continue;
    add(coding.name);
    if (coding.is_row_format) continue;
    add(coding.name + "-sink1");
    // What rows share is better told apart before keys are turned, and ruined by the first rows.
    if (!coding.joins_rows) continue;
    add(coding.name + "-pre-sink1");
    add(coding.name + "-sink128");
  }
  return precisions;
}

Json codecs_settings(const CodecsOptions& options) {
  return Json::Object{{"tokens", options.tokens}, {"skip", options.skip}};
}

Result<std::vector<CodecScores>> evaluate_codecs(const std::vector<CodecText>& texts,
                                                 const std::vector<int32_t>& before,
                                                 const CodecsOptions& options,
                                                 const std::vector<std::string>& precisions,
                                                 const OpenCodecEngine& open_engine, ResultLog& log,
                                                 const EvalProgress& progress) {
  Evaluation evaluation(texts, before, options, precisions, open_engine, log, progress);
  KVASIR_RETURN_IF_ERROR(evaluation.check());
  KVASIR_ASSIGN_OR_RETURN(const std::vector<CacheSize> sizes, sizes_of(precisions, open_engine));
  KVASIR_RETURN_IF_ERROR(evaluation.measure_exact());
  std::vector<CodecScores> all;
  for (size_t i = 0; i < precisions.size(); ++i) {
    KVASIR_RETURN_IF_ERROR(evaluation.measure(precisions[i]));
    KVASIR_ASSIGN_OR_RETURN(CodecScores scores, evaluation.scores(precisions[i], sizes[i]));
    all.push_back(std::move(scores));
  }
  return all;
}

}  // namespace kvasir::eval
