#include "plan/page.h"

#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/json.h"
#include "persist/footprint.h"

namespace kvasir::embedded {
extern const std::string_view page_html;  // src/plan/page.html
}

namespace kvasir::plan {
namespace {

constexpr std::string_view kDataPlace = "@KVASIR_PLAN_DATA@";

// Returns a term in the form that the page's script reads.
Json term_json(const Term& term) {
  const Growth& growth = term.growth;
  return Json(Json::Array{term.part, term.bytes, growth.is_fixed ? 1 : 0, growth.cap_tokens,
                          growth.skip_tokens, growth.page_tokens, growth.numerator,
                          growth.unit_tokens, static_cast<int>(growth.rounding),
                          term.is_once ? 1 : 0});
}

Json terms_json(const std::vector<Term>& terms) {
  Json::Array list;
  list.reserve(terms.size());
  for (const Term& term : terms) list.push_back(term_json(term));
  return Json(std::move(list));
}

Json layers_json(const std::vector<Term>& terms) {
  Json::Array list;
  list.reserve(terms.size());
  for (const Term& term : terms) {
    if (term.layer_count != 0) list.emplace_back(Json::Array{term.part, term.layer_count});
  }
  return Json(std::move(list));
}

// Empty: none of the precisions can hold it as the options say.
Json::Object costs_json(const CacheModel& model, const CostOptions& options) {
  Json::Object costs;
  for (const PrecisionInfo& precision : precisions()) {
    CostOptions chosen = options;
    chosen.precision = precision.name;
    const auto cost = cache_cost(model, chosen);
    if (!cost.ok()) continue;
    const Json::Array notes(cost->notes.begin(), cost->notes.end());
    costs.emplace_back(precision.name, Json(Json::Object{{"ram", terms_json(cost->ram)},
                                                         {"cold", terms_json(cost->ram_cold)},
                                                         {"ssd", terms_json(cost->ssd)},
                                                         {"layers", layers_json(cost->ram)},
                                                         {"notes", notes}}));
  }
  return costs;
}

void add_model(const std::string& name, const CacheModel& model, const CostOptions& options,
               Json::Array& models) {
  Json::Object costs = costs_json(model, options);
  if (costs.empty()) return;
  models.emplace_back(
      Json::Object{{"name", name},
                   {"title", model.name},
                   {"source", model.source},
                   {"layers", model.layer_count},
                   {"limit", model.context_tokens_max},
                   {"weights", model.weight_bytes ? Json(*model.weight_bytes) : Json()},
                   {"notes", Json::Array(model.notes.begin(), model.notes.end())},
                   {"costs", std::move(costs)}});
}

Json models_json(const PageStart& start) {
  Json::Array models;
  models.reserve(built_in_models().size() + 1);
  if (start.model) add_model(start.argument, *start.model, start.cost, models);
  for (const BuiltInModel& one : built_in_models()) {
    const bool is_own =
        start.model && start.model->source == one.source && start.model->name == one.title;
    if (is_own) continue;
    const auto model = built_in_model(one.name);
    KVASIR_CHECK(model.ok(), "every built-in model can be read");
    add_model(one.name, *model, start.cost, models);
  }
  return Json(std::move(models));
}

Status check_some_model_can(const CostOptions& options) {
  std::optional<Error> refusal;
  for (const BuiltInModel& one : built_in_models()) {
    const auto cost = cache_cost(built_in_model(one.name).value(), options);
    if (cost.ok()) return ok_status();
    if (!refusal) refusal = cost.error();
  }
  return *refusal;
}

// By the ids of the page's fields. With a memory goes the part of it that the command leaves free.
Json start_json(const PageStart& start) {
  const bool has_share = !start.memory.empty() && start.headroom.empty();
  return Json(Json::Object{{"context", start.context},
                           {"precision", start.cost.precision},
                           {"sequences", start.sequences},
                           {"prefix", start.shared_prefix},
                           {"memory", start.memory},
                           {"headroom", has_share ? std::string("10%") : start.headroom},
                           {"weights", start.weights},
                           {"ranks", start.cost.tensor_parallel},
                           {"replicas", start.replicas},
                           {"flags", Json::Array(start.flags.begin(), start.flags.end())}});
}

// Nothing in it can end or nest a script element.
std::string harmless(const std::string& text) {
  std::string plain;
  plain.reserve(text.size());
  for (const char c : text) {
    if (c == '<') {
      plain += "\\u003c";
    } else {
      plain += c;
    }
  }
  return plain;
}

}  // namespace

Result<std::string> make_page(const PageStart& start) {
  KVASIR_RETURN_IF_ERROR(check_some_model_can(start.cost));
  const Json data(Json::Object{{"context_tokens_max", kContextTokensMax},
                               {"process_bytes_max", persist::kProcessBytesMax},
                               {"process_share", persist::kProcessShare},
                               {"start", start_json(start)},
                               {"models", models_json(start)}});
  std::string page(embedded::page_html);
  const size_t place = page.find(kDataPlace);
  KVASIR_CHECK(place != std::string::npos, "the page has a place for its data");
  page.replace(place, kDataPlace.size(), harmless(data.dump()));
  return page;
}

}  // namespace kvasir::plan
