// Measured quality: what cache precisions cost on the models on which that was measured, and what
// of it says something about a model that is planned. A precision that was measured on one kind of
// attention says nothing about another kind.
//
// The measurements that come along are data/cache_quality.json. `kvasir eval codecs --quality`
// and `eval recall --quality` write such files; docs/plan.md says what stands in them. Plain
// values; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kvasir/plan.h"
#include "kvasir/result.h"

namespace kvasir::plan {

// A mean with its 95 % interval.
struct MeasuredMean {
  double value = 0;
  double low = 0;
  double high = 0;

  bool operator==(const MeasuredMean&) const = default;
};

// A MeasuredPrecision is one precision of a Measurement.
struct MeasuredPrecision {
  std::string precision;  // as --kv takes it
  // Nats a token: of predicted tokens from an exact cache, or (recall) of those of right answers
  // from the first run of the command.
  MeasuredMean kl;
  double bits = 0;  // of a value in a block; 0: not said
  // Of texts:
  std::string quality;         // the word for such a KL
  std::optional<double> same;  // share of the tokens for which the same one is most likely
  std::optional<double> ppl;   // perplexity, by that of the exact cache
  std::optional<double> ppl_error;
  std::optional<double> copied;  // share of the random tokens that are copied right
  std::optional<double> keys;    // relative errors, mean of the layers
  std::optional<double> values;
  std::optional<double> attended;
  // Of recall:
  std::optional<int64_t> right;  // answers

  bool operator==(const MeasuredPrecision&) const = default;
};

struct MeasuredText {
  std::string name;
  int64_t tokens = 0;  // that were read

  bool operator==(const MeasuredText&) const = default;
};

enum class Evaluation : uint8_t {
  kCodecs,  // predictions of texts
  kRecall,  // answers about facts in documents
};
// "codecs", "recall"
std::string_view name_of(Evaluation evaluation);

// A Measurement is what one evaluation found on one model.
struct Measurement {
  Evaluation evaluation = Evaluation::kCodecs;
  std::string model;
  std::string attention;  // as attention_of says it
  int64_t head_width = 0;
  std::vector<MeasuredText> texts;
  int64_t count = 0;    // of predicted tokens, or of questions
  std::string date;     // of the newest of its precisions
  std::string command;  // its --kv are the precisions
  std::vector<MeasuredPrecision> precisions;

  bool operator==(const Measurement&) const = default;
};

// Returns whether another precision of the measurement is no larger and loses no more, and is not
// equal to it in both.
bool is_beaten(const MeasuredPrecision& one, const Measurement& measurement);

// Returns whether it takes what is learnt of a model beforehand (--kv-data).
bool needs_learning(const MeasuredPrecision& one);

// `where` names the text in messages. Errors: malformed; a member that is missing, unknown or of
// another kind; the same precision twice.
Result<std::vector<Measurement>> parse_measurements(std::string_view text, std::string_view where);
// What parse_measurements reads, a precision on a line.
std::string to_text(const std::vector<Measurement>& measurements);
// Puts a measurement among others. Where one was made by the same command on the same model, its
// precisions stay, but for those that were measured again.
void add_measurement(Measurement measurement, std::vector<Measurement>& measurements);
// Those that come along.
const std::vector<Measurement>& own_measurements();

// Returns the kind of attention: "gqa", "mha", "mqa", "mla", "deepseek-v4", or "no attention"; with
// what stands beside it, as in "gqa with windows", "mla with an indexer". Draft layers do not
// count.
std::string attention_of(const CacheModel& model);
// Returns the width of the first keys or latents; 0: there are none.
int64_t head_width_of(const CacheModel& model);

// A Finding is one precision in the measurement that it belongs to.
struct Finding {
  const Measurement* measurement = nullptr;
  const MeasuredPrecision* precision = nullptr;
};

// A Quality says what is known of a precision on a model.
struct Quality {
  std::string precision;
  std::string attention;
  int64_t head_width = 0;
  std::vector<Finding> findings;  // on that kind of attention, into what was given
  std::string gap;                // why there are none; empty where there are
};
Quality quality_of(const CacheModel& model, const std::string& precision,
                   const std::vector<Measurement>& measurements);

// Returns the way in which Kvasir codes rows under that name, where plan gives the name to a
// published format: "k=kivi4,v=kivi4". Elsewhere the name itself.
std::string own_precision(const CacheModel& model, const std::string& precision);
// Returns what is to be said of such a name where the two take other bytes; empty elsewhere.
std::string name_note(const CacheModel& model, const std::string& precision, const Load& load);

}  // namespace kvasir::plan
