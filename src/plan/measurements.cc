// Files of measured quality: reading, writing, adding.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

#include "base/check.h"
#include "base/json.h"
#include "plan/quality.h"

namespace kvasir::embedded {
extern const std::string_view cache_quality_json;  // data/cache_quality.json
}

namespace kvasir::plan {
namespace {

constexpr std::string_view kWhere = "data/cache_quality.json";

// A Reader takes the members of a file's objects, and remembers the first that is not as it must
// be.
class Reader {
 public:
  explicit Reader(std::string_view where) : where_(where) {}

  const std::optional<Error>& error() const { return error_; }

  void fail(const std::string& field, const char* expected, const Json* found) {
    if (error_) return;
    error_ = Error{.kind = ErrorKind::kDamaged,
                   .what = "no file of measured quality",
                   .field = field,
                   .where = where_,
                   .expected = expected,
                   .found = found == nullptr ? "nothing" : found->dump().substr(0, 40)};
  }

  std::string text(const Json& object, const std::string& path, const char* name) {
    const Json* value = object.find(name);
    if (value != nullptr && value->as_string() != nullptr) return *value->as_string();
    fail(path + "." + name, "a text", value);
    return "";
  }
  int64_t integer(const Json& object, const std::string& path, const char* name) {
    const Json* value = object.find(name);
    if (value != nullptr && value->as_integer() != nullptr) return *value->as_integer();
    fail(path + "." + name, "a whole number", value);
    return 0;
  }
  std::optional<double> number_if_any(const Json& object, const std::string& path,
                                      const char* name) {
    const Json* value = object.find(name);
    if (value == nullptr || value->is_null()) return std::nullopt;
    if (value->as_double() != nullptr) return *value->as_double();
    if (value->as_integer() != nullptr) return static_cast<double>(*value->as_integer());
    fail(path + "." + name, "a number", value);
    return std::nullopt;
  }
  double number(const Json& object, const std::string& path, const char* name) {
    const std::optional<double> value = number_if_any(object, path, name);
    if (!value) fail(path + "." + name, "a number", object.find(name));
    return value.value_or(0);
  }
  const Json::Array& list(const Json& object, const std::string& path, const char* name) {
    static const Json::Array kNone;
    const Json* value = object.find(name);
    if (value != nullptr && value->as_array() != nullptr) return *value->as_array();
    fail(path + "." + name, "a list", value);
    return kNone;
  }

 private:
  std::string where_;
  std::optional<Error> error_;
};

// The members that a precision may have besides its name, KL and word.
struct NumberMember {
  const char* name;
  std::optional<double> MeasuredPrecision::*place;
};
constexpr std::array kNumbers = std::to_array<NumberMember>({
    {"same", &MeasuredPrecision::same},
    {"perplexity_ratio", &MeasuredPrecision::ppl},
    {"perplexity_ratio_error", &MeasuredPrecision::ppl_error},
    {"copied", &MeasuredPrecision::copied},
    {"keys", &MeasuredPrecision::keys},
    {"values", &MeasuredPrecision::values},
    {"attended", &MeasuredPrecision::attended},
});

MeasuredMean read_mean(Reader& reader, const Json& object, const std::string& path) {
  const Json* kl = object.find("kl");
  if (kl == nullptr || kl->as_object() == nullptr) {
    reader.fail(path + ".kl", "value, low and high", kl);
    return {};
  }
  MeasuredMean mean{.value = reader.number(*kl, path + ".kl", "value"),
                    .low = reader.number(*kl, path + ".kl", "low"),
                    .high = reader.number(*kl, path + ".kl", "high")};
  if (mean.low > mean.value || mean.value > mean.high) {
    reader.fail(path + ".kl", "a value between low and high", kl);
  }
  return mean;
}

MeasuredPrecision read_precision(Reader& reader, const Json& object, const std::string& path,
                                 Evaluation evaluation) {
  MeasuredPrecision one{.precision = reader.text(object, path, "precision"),
                        .kl = read_mean(reader, object, path),
                        .bits = reader.number_if_any(object, path, "bits").value_or(0)};
  for (const NumberMember& member : kNumbers) {
    one.*member.place = reader.number_if_any(object, path, member.name);
  }
  if (evaluation == Evaluation::kCodecs) {
    one.quality = reader.text(object, path, "quality");
    if (one.quality.empty()) reader.fail(path + ".quality", "a word", object.find("quality"));
    one.same = reader.number(object, path, "same");
  } else {
    one.right = reader.integer(object, path, "right");
  }
  return one;
}

Evaluation read_evaluation(Reader& reader, const Json& object, const std::string& path) {
  const std::string name = reader.text(object, path, "evaluation");
  if (name == name_of(Evaluation::kRecall)) return Evaluation::kRecall;
  if (name != name_of(Evaluation::kCodecs)) {
    reader.fail(path + ".evaluation", "codecs or recall", object.find("evaluation"));
  }
  return Evaluation::kCodecs;
}

void check_names(Reader& reader, const Measurement& measurement, const std::string& path) {
  std::vector<std::string_view> names;
  for (const MeasuredPrecision& one : measurement.precisions) names.push_back(one.precision);
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice == names.end()) return;
  const Json name{std::string(*twice)};
  reader.fail(path + ".precisions", "each precision once", &name);
}

Measurement read_measurement(Reader& reader, const Json& object, const std::string& path) {
  Measurement read{.evaluation = read_evaluation(reader, object, path),
                   .model = reader.text(object, path, "model"),
                   .attention = reader.text(object, path, "attention"),
                   .head_width = reader.integer(object, path, "head_width"),
                   .count = reader.integer(object, path, "count"),
                   .date = reader.text(object, path, "date"),
                   .command = reader.text(object, path, "command")};
  for (const Json& text : reader.list(object, path, "texts")) {
    read.texts.push_back({.name = reader.text(text, path + ".texts", "name"),
                          .tokens = reader.integer(text, path + ".texts", "tokens")});
  }
  const Json::Array& precisions = reader.list(object, path, "precisions");
  for (size_t i = 0; i < precisions.size(); ++i) {
    read.precisions.push_back(read_precision(
        reader, precisions[i], fmt::format("{}.precisions[{}]", path, i), read.evaluation));
  }
  check_names(reader, read, path);
  return read;
}

// Six digits are more than any of it is certain to.
Json rounded(double number) { return std::strtod(fmt::format("{:.6g}", number).c_str(), nullptr); }

Json to_json(const MeasuredPrecision& one) {
  Json::Object object{{"precision", one.precision}};
  if (one.bits != 0) object.emplace_back("bits", rounded(one.bits));
  object.emplace_back("kl", Json::Object{{"value", rounded(one.kl.value)},
                                         {"low", rounded(one.kl.low)},
                                         {"high", rounded(one.kl.high)}});
  for (const NumberMember& member : kNumbers) {
    if (one.*member.place) object.emplace_back(member.name, rounded(*(one.*member.place)));
  }
  if (one.right) object.emplace_back("right", *one.right);
  if (!one.quality.empty()) object.emplace_back("quality", one.quality);
  return object;
}

std::string to_text(const Measurement& measurement) {
  Json::Array texts;
  for (const MeasuredText& text : measurement.texts) {
    texts.push_back(Json::Object{{"name", text.name}, {"tokens", text.tokens}});
  }
  std::string text = Json(Json::Object{{"evaluation", std::string(name_of(measurement.evaluation))},
                                       {"model", measurement.model},
                                       {"attention", measurement.attention},
                                       {"head_width", measurement.head_width},
                                       {"texts", std::move(texts)},
                                       {"count", measurement.count},
                                       {"date", measurement.date},
                                       {"command", measurement.command}})
                         .dump();
  text.back() = ',';  // of the object's end
  text += "\"precisions\":[";
  const char* before = "\n  ";
  for (const MeasuredPrecision& one : measurement.precisions) {
    text += before + to_json(one).dump();
    before = ",\n  ";
  }
  return text + "]}";
}

}  // namespace

std::string_view name_of(Evaluation evaluation) {
  return evaluation == Evaluation::kRecall ? "recall" : "codecs";
}

bool is_beaten(const MeasuredPrecision& one, const Measurement& measurement) {
  return std::any_of(measurement.precisions.begin(), measurement.precisions.end(),
                     [&](const MeasuredPrecision& other) {
                       return other.bits <= one.bits && other.kl.value <= one.kl.value &&
                              (other.bits < one.bits || other.kl.value < one.kl.value);
                     });
}

Result<std::vector<Measurement>> parse_measurements(std::string_view text, std::string_view where) {
  KVASIR_ASSIGN_OR_RETURN(const Json json, Json::parse(text, where));
  Reader reader(where);
  std::vector<Measurement> measurements;
  if (json.as_array() == nullptr) {
    reader.fail("file", "a list of measurements", &json);
    return *reader.error();
  }
  for (const Json& one : *json.as_array()) {
    const std::string path = fmt::format("[{}]", measurements.size());
    measurements.push_back(read_measurement(reader, one, path));
    if (reader.error()) return *reader.error();
  }
  return measurements;
}

std::string to_text(const std::vector<Measurement>& measurements) {
  std::string text = "[";
  const char* before = "\n";
  for (const Measurement& one : measurements) {
    text += before + to_text(one);
    before = ",\n";
  }
  return text + "\n]\n";
}

void add_measurement(Measurement measurement, std::vector<Measurement>& measurements) {
  const auto found =
      std::find_if(measurements.begin(), measurements.end(), [&](const Measurement& one) {
        return one.evaluation == measurement.evaluation && one.model == measurement.model &&
               one.attention == measurement.attention && one.command == measurement.command;
      });
  if (found == measurements.end()) {
    measurements.push_back(std::move(measurement));
    return;
  }
  for (MeasuredPrecision& old : found->precisions) {
    const bool is_new =
        std::none_of(measurement.precisions.begin(), measurement.precisions.end(),
                     [&](const MeasuredPrecision& one) { return one.precision == old.precision; });
    if (is_new) measurement.precisions.push_back(std::move(old));
  }
  std::stable_sort(measurement.precisions.begin(), measurement.precisions.end(),
                   [](const MeasuredPrecision& a, const MeasuredPrecision& b) {
                     return a.bits != b.bits ? a.bits > b.bits : a.kl.value < b.kl.value;
                   });
  *found = std::move(measurement);
}

const std::vector<Measurement>& own_measurements() {
  static const std::vector<Measurement> own = [] {
    auto read = parse_measurements(embedded::cache_quality_json, kWhere);
    KVASIR_CHECK(read.ok(), "the measurements that come along are whole");
    return std::move(read).value();
  }();
  return own;
}

}  // namespace kvasir::plan
