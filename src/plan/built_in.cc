#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "plan/model_of_json.h"

namespace kvasir::embedded {
extern const std::string_view models_json;  // data/models.json
}

namespace kvasir::plan {
namespace {

constexpr std::string_view kWhere = "data/models.json";

const Json& catalog() {
  static const Json parsed = [] {
    Result<Json> json = Json::parse(embedded::models_json, kWhere);
    KVASIR_CHECK(json.ok() && json->as_array() != nullptr, "the models that come along are a list");
    return std::move(json).value();
  }();
  return parsed;
}

std::string text_of(const Json& entry, std::string_view name) {
  const Json* value = entry.find(name);
  return value == nullptr || value->as_string() == nullptr ? "" : *value->as_string();
}

// "meta-llama/Llama-3.1-8B" is llama-3.1-8b.
std::string plain_name(std::string_view given) {
  std::string name(given.substr(given.rfind('/') + 1));
  std::transform(name.begin(), name.end(), name.begin(), [](char c) {
    return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  });
  return name;
}

// Letters in which two names differ: insertions, deletions, replacements.
size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row.back();
}

std::string closest(std::string_view name) {
  std::vector<std::pair<size_t, std::string>> ranked;
  ranked.reserve(built_in_models().size());
  for (const BuiltInModel& model : built_in_models()) {
    const bool is_part = model.name.find(name) != std::string::npos;
    ranked.emplace_back(is_part ? 0 : distance(name, model.name), model.name);
  }
  std::stable_sort(ranked.begin(), ranked.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  constexpr size_t kTold = 3;
  std::string names;
  for (size_t i = 0; i < std::min(kTold, ranked.size()); ++i) {
    names += (i == 0 ? "" : ", ") + ranked[i].second;
  }
  return names;
}

}  // namespace

const std::vector<BuiltInModel>& built_in_models() {
  static const std::vector<BuiltInModel> models = [] {
    std::vector<BuiltInModel> list;
    list.reserve(catalog().as_array()->size());
    for (const Json& entry : *catalog().as_array()) {
      list.push_back({.name = text_of(entry, "name"),
                      .title = text_of(entry, "title"),
                      .source = text_of(entry, "source"),
                      .is_confirmed = entry.find("read_in") != nullptr});
    }
    return list;
  }();
  return models;
}

Result<CacheModel> built_in_model(std::string_view given) {
  const std::vector<BuiltInModel>& models = built_in_models();
  const std::string name = plain_name(given);
  const auto found = std::find_if(models.begin(), models.end(),
                                  [&](const BuiltInModel& model) { return model.name == name; });
  if (found == models.end()) {
    return Error{.kind = ErrorKind::kNotFound,
                 .what = "neither a file nor a model that is known by name",
                 .field = "model",
                 .expected = "a name such as " + closest(name),
                 .found = std::string(given)};
  }
  const Json& entry = (*catalog().as_array())[static_cast<size_t>(found - models.begin())];
  const Json* config = entry.find("config");
  KVASIR_CHECK(config != nullptr, "every model has a config");
  KVASIR_ASSIGN_OR_RETURN(CacheModel model,
                          model_of_json(*config, fmt::format("{}: {}", kWhere, name)));
  model.name = found->title;
  model.source = found->source;
  if (!found->is_confirmed) {
    model.notes.emplace_back("written from memory, not read in a published copy of its config");
  }
  return model;
}

}  // namespace kvasir::plan
