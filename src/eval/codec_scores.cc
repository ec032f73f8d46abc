#include "eval/codec_scores.h"

#include <cmath>
#include <limits>
#include <string_view>

namespace kvasir::eval {
namespace {

// JSON has no infinity: a standard error of one stretch.
Json bounded(double value) { return std::isfinite(value) ? Json(value) : Json(); }

Json to_json(const SeriesMean& mean) {
  return Json::Object{{"value", mean.value},
                      {"standard_error", bounded(mean.standard_error)},
                      {"count", mean.count},
                      {"stretch_count", mean.stretch_count}};
}

double relative(const CodedDistance& distance) {
  return std::sqrt(distance.error_squares / distance.exact_squares);
}

LayerErrors summarise(const std::vector<CodingErrors>& layers,
                      const CodedDistance CodingErrors::*part) {
  LayerErrors summary;
  int64_t count = 0;
  for (size_t layer = 0; layer < layers.size(); ++layer) {
    const CodedDistance& distance = layers[layer].*part;
    if (distance.exact_squares == 0) continue;
    const double error = relative(distance);
    summary.mean += error;
    ++count;
    if (summary.worst_layer >= 0 && error <= summary.worst) continue;
    summary.worst = error;
    summary.worst_layer = static_cast<int64_t>(layer);
  }
  if (count > 0) summary.mean /= static_cast<double>(count);
  return summary;
}

// An EntryReader takes members of an entry and remembers whether all were there.
class EntryReader {
 public:
  explicit EntryReader(const Json& entry) : entry_(entry) {}

  bool has_all() const { return has_all_; }
  const Json& member(std::string_view name) {
    static const Json kNone;
    const Json* found = entry_.find(name);
    has_all_ = has_all_ && found != nullptr;
    return found == nullptr ? kNone : *found;
  }
  double number(std::string_view name) { return number_of(member(name)); }
  // Null: unbounded.
  double bounded_number(std::string_view name) {
    const Json& found = member(name);
    return found.is_null() ? std::numeric_limits<double>::infinity() : number_of(found);
  }
  int64_t integer(std::string_view name) { return integer_of(member(name)); }

  double number_of(const Json& value) {
    has_all_ = has_all_ && value.as_double() != nullptr;
    return value.as_double() == nullptr ? 0 : *value.as_double();
  }
  int64_t integer_of(const Json& value) {
    has_all_ = has_all_ && value.as_integer() != nullptr;
    return value.as_integer() == nullptr ? 0 : *value.as_integer();
  }
  const Json::Array& array(const Json& value) {
    static const Json::Array kNone;
    has_all_ = has_all_ && value.as_array() != nullptr;
    return value.as_array() == nullptr ? kNone : *value.as_array();
  }
  template <class Value, class Read>
  Value part(std::string_view name, const Read& read) {
    EntryReader reader(member(name));
    Value value = read(reader);
    has_all_ = has_all_ && reader.has_all();
    return value;
  }

 private:
  const Json& entry_;
  bool has_all_ = true;
};

SeriesMean read_series(EntryReader& entry) {
  SeriesMean mean{.value = entry.number("value"),
                  .standard_error = entry.bounded_number("standard_error"),
                  .count = entry.integer("count")};
  mean.stretch_count = entry.integer("stretch_count");
  return mean;
}

LayerErrors read_layers(EntryReader& entry) {
  return {.mean = entry.number("mean"),
          .worst = entry.number("worst"),
          .worst_layer = entry.integer("worst_layer")};
}

template <class Value>
Result<Value> if_whole(const EntryReader& entry, Value value) {
  if (entry.has_all()) return value;
  return Error{.kind = ErrorKind::kDamaged,
               .what = "the log has an entry that is not of this program's making"};
}

}  // namespace

Json to_json(const TextScores& scores) {
  Json::Array texts;
  for (const double nats : scores.text_nats) texts.emplace_back(nats);
  return Json::Object{{"kl", to_json(scores.kl)},
                      {"kl_99", scores.kl_99},
                      {"same_count", scores.same_count},
                      {"nats_more", to_json(scores.nats_more)},
                      {"text_nats", std::move(texts)},
                      {"nats", scores.nats},
                      {"prefill_tokens_per_s", scores.prefill_tokens_per_s}};
}

Json to_json(const LayerErrors& errors) {
  return Json::Object{
      {"mean", errors.mean}, {"worst", errors.worst}, {"worst_layer", errors.worst_layer}};
}

CodecErrors summarise(const std::vector<CodingErrors>& layers) {
  return {.keys = summarise(layers, &CodingErrors::keys),
          .values = summarise(layers, &CodingErrors::values),
          .attended = summarise(layers, &CodingErrors::attended)};
}

Json to_json(const CodecErrors& errors) {
  return Json::Object{{"keys", to_json(errors.keys)},
                      {"values", to_json(errors.values)},
                      {"attended", to_json(errors.attended)}};
}

Json to_json(const CopyScore& score) {
  return Json::Object{{"right_count", score.right_count}, {"count", score.count}};
}

Estimate DivergenceScore::mean_tokens() const {
  return mean(std::vector<double>(first_tokens.begin(), first_tokens.end()));
}

Json to_json(const DivergenceScore& score) {
  Json::Array tokens;
  for (const int64_t token : score.first_tokens) tokens.emplace_back(token);
  return Json::Object{{"first_tokens", std::move(tokens)}};
}

double CodecScores::held_bits(int64_t token_count) const {
  if (size.block_values == 0) return 0;
  const double values = static_cast<double>(size.block_values) * static_cast<double>(token_count) /
                        static_cast<double>(size.block_tokens);
  return 8.0 * static_cast<double>(size.bytes(token_count)) / values;
}

double CodecScores::bytes_per_token() const {
  return static_cast<double>(size.block_bytes) / static_cast<double>(size.block_tokens);
}

Result<TextScores> text_scores_of(const Json& json) {
  EntryReader entry(json);
  TextScores scores{.kl = entry.part<SeriesMean>("kl", read_series),
                    .kl_99 = entry.number("kl_99"),
                    .same_count = entry.integer("same_count"),
                    .nats_more = entry.part<SeriesMean>("nats_more", read_series),
                    .nats = entry.number("nats"),
                    .prefill_tokens_per_s = entry.number("prefill_tokens_per_s")};
  for (const Json& nats : entry.array(entry.member("text_nats"))) {
    scores.text_nats.push_back(entry.number_of(nats));
  }
  return if_whole(entry, std::move(scores));
}

Result<CodecErrors> codec_errors_of(const Json& json) {
  EntryReader entry(json);
  const CodecErrors errors{.keys = entry.part<LayerErrors>("keys", read_layers),
                           .values = entry.part<LayerErrors>("values", read_layers),
                           .attended = entry.part<LayerErrors>("attended", read_layers)};
  return if_whole(entry, errors);
}

Result<CopyScore> copy_score_of(const Json& json) {
  EntryReader entry(json);
  const CopyScore score{.right_count = entry.integer("right_count"),
                        .count = entry.integer("count")};
  return if_whole(entry, score);
}

Result<DivergenceScore> divergence_score_of(const Json& json) {
  EntryReader entry(json);
  DivergenceScore score;
  for (const Json& token : entry.array(entry.member("first_tokens"))) {
    score.first_tokens.push_back(entry.integer_of(token));
  }
  return if_whole(entry, std::move(score));
}

}  // namespace kvasir::eval
