#include "kvasir/calibrate.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/digest.h"
#include "base/replace_file.h"
#include "calibration/calibration_file.h"
#include "calibration/facts.h"
#include "engine/engine_state.h"
#include "kv/coding.h"

namespace kvasir {
namespace {

static_assert(kCalibrationTokensMin == calibration::kRowsMin);

// A Learner takes what a pass reports of its layers.
class Learner {
 public:
  Learner(size_t watched_count, const CalibrationProgress& progress)
      : keys_(watched_count), progress_(progress) {}

  // Before the pass.
  void begin(int64_t layer_count) {
    layer_count_ = layer_count;
    for (auto& keys : keys_) keys.resize(static_cast<size_t>(layer_count));
  }
  int64_t layer_count() const { return layer_count_; }

  Status take_rows(const LayerRows& rows) {
    if (progress_ && !progress_(rows.layer, layer_count_)) {
      return Error{.kind = ErrorKind::kInterrupted, .what = "interrupted, nothing was written"};
    }
    KVASIR_ASSIGN_OR_RETURN(calibration::RowFacts facts, calibration::learn_facts(rows));
    learnt_.rows.push_back(std::move(facts));
    return ok_status();
  }

  void take_errors(size_t coding, int64_t layer, const CodingErrors& errors) {
    keys_[coding][static_cast<size_t>(layer)] = errors.keys;
  }

  calibration::Calibration& learnt() { return learnt_; }

  // How much of what tells a layer's keys apart a watched precision loses.
  double error_of(size_t coding, int64_t layer) const {
    const CodedDistance& distance = keys_[coding][static_cast<size_t>(layer)];
    // Positions alone turn a large common part of keys far from its mean.
    const calibration::RowFacts* facts = learnt_.find(layer, RowKind::kKeysBeforeRope);
    if (facts == nullptr) facts = learnt_.find(layer, RowKind::kLatents);
    if (facts == nullptr || distance.exact_squares == 0 || facts->square == 0) return 0;
    const double apart = distance.exact_squares * (facts->variation / facts->square);
    return apart == 0 ? 0 : std::sqrt(distance.error_squares / apart);
  }

 private:
  calibration::Calibration learnt_;
  int64_t layer_count_ = 0;
  std::vector<std::vector<CodedDistance>> keys_;  // [watched][layers]
  const CalibrationProgress& progress_;
};

// For example of 0, 1, 2 and 5: "layers 0-2.k=bf16,layers 5.k=bf16".
std::string keys_in_bf16(const std::vector<int64_t>& layers) {
  std::string text;
  for (size_t i = 0; i < layers.size();) {
    size_t last = i;
    while (last + 1 < layers.size() && layers[last + 1] == layers[last] + 1) ++last;
    text += ",layers " + std::to_string(layers[i]);
    if (last > i) text += "-" + std::to_string(layers[last]);
    text += ".k=bf16";
    i = last + 1;
  }
  return text;
}

WatchedPrecision watched_precision(const std::string& precision, size_t coding,
                                   const Learner& learner) {
  WatchedPrecision watched{.precision = precision};
  for (int64_t layer = 0; layer < learner.layer_count(); ++layer) {
    watched.layer_errors.push_back(learner.error_of(coding, layer));
    if (watched.layer_errors.back() > kBrokenKeys) watched.broken_layers.push_back(layer);
  }
  const int64_t broken = std::ssize(watched.broken_layers);
  if (broken > 0 && 2 * broken <= learner.layer_count()) {
    watched.remedy = precision + keys_in_bf16(watched.broken_layers);
  }
  return watched;
}

int64_t layers_learnt(const calibration::Calibration& learnt) {
  int64_t count = 0;
  int64_t last = -1;
  for (const calibration::RowFacts& facts : learnt.rows) {
    count += facts.layer != last ? 1 : 0;
    last = facts.layer;
  }
  return count;
}

Status check_length(int64_t token_count) {
  if (token_count >= kCalibrationTokensMin) return ok_status();
  return Error{.kind = ErrorKind::kUsage,
               .what = "too short a text to learn from",
               .field = "text",
               .expected = std::to_string(kCalibrationTokensMin) + " tokens at least",
               .found = std::to_string(token_count)};
}

Status check_watched(const std::vector<std::string>& watched) {
  for (const std::string& text : watched) {
    KVASIR_ASSIGN_OR_RETURN(const kv::CachePrecision precision, kv::parse_precision(text));
    if (!kv::needs_learning(precision)) continue;
    return Error{.kind = ErrorKind::kUsage,
                 .what = "what is yet to be learnt cannot be watched",
                 .field = "watched",
                 .expected = "precisions that need nothing learnt",
                 .found = text};
  }
  return ok_status();
}

// Runs the pass. What it reports of its layers goes to the learner.
Status read_text(const EngineOptions& options, std::span<const int32_t> ids,
                 const std::vector<std::string>& watched, Learner& learner) {
  EngineOptions chosen = options;
  chosen.kv = "f32";
  chosen.kv_data.clear();
  chosen.needs_text = false;
  chosen.chunk_tokens = std::ssize(ids);
  chosen.study.codings = watched;
  chosen.study.on_rows = [&learner](const LayerRows& rows) { return learner.take_rows(rows); };
  chosen.study.on_coding_errors = [&learner](size_t coding, int64_t layer,
                                             const CodingErrors& errors) {
    learner.take_errors(coding, layer, errors);
  };
  KVASIR_ASSIGN_OR_RETURN(Engine engine, Engine::open(chosen));
  learner.begin(engine.info().layer_count);
  KVASIR_ASSIGN_OR_RETURN(Session session, engine.new_session());
  KVASIR_RETURN_IF_ERROR(session.append(ids));
  learner.learnt().model = engine.state().model_fingerprint;
  return ok_status();
}

}  // namespace

std::vector<std::string> watchable_precisions(const Engine& engine) {
  std::vector<std::string> precisions;
  for (const char* precision : {"int8", "e4m3", "q4_0", "rot-q4_0", "kivi4", "kvarn4", "kvarn3"}) {
    if (engine.cache_size(precision).ok()) precisions.emplace_back(precision);
  }
  return precisions;
}

Result<CalibrationReport> calibrate(const EngineOptions& options, std::span<const int32_t> ids,
                                    const std::vector<std::string>& watched,
                                    const std::string& path, const CalibrationProgress& progress) {
  KVASIR_RETURN_IF_ERROR(check_length(std::ssize(ids)));
  KVASIR_RETURN_IF_ERROR(check_watched(watched));
  // Not after minutes of work.
  KVASIR_RETURN_IF_ERROR(check_replaceable(path));
  Learner learner(watched.size(), progress);
  KVASIR_RETURN_IF_ERROR(read_text(options, ids, watched, learner));
  calibration::Calibration& learnt = learner.learnt();
  if (learnt.rows.empty()) {
    return Error{.kind = ErrorKind::kUnsupported,
                 .what = "no row of this model's cache takes a precision that is learnt",
                 .where = options.model_path};
  }
  learnt.text = Sha256().add(std::as_bytes(ids)).finish();
  learnt.token_count = std::ssize(ids);
  KVASIR_RETURN_IF_ERROR(calibration::write_calibration(learnt, path));
  CalibrationReport report{.token_count = learnt.token_count, .layer_count = layers_learnt(learnt)};
  for (size_t i = 0; i < watched.size(); ++i) {
    report.watched.push_back(watched_precision(watched[i], i, learner));
  }
  return report;
}

}  // namespace kvasir
