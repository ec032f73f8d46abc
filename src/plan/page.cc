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

// What the page's script calls a term.
Json term_json(const Term& term) {
  const Growth& growth = term.growth;
  return Json(Json::Array{term.part, term.bytes, growth.is_fixed ? 1 : 0, growth.cap_tokens,
                          growth.skip_tokens, growth.page_tokens, growth.numerator,
                          growth.unit_tokens, static_cast<int>(growth.rounding)});
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

Json costs_json(const CacheModel& model) {
  Json::Object costs;
  for (const PrecisionInfo& precision : precisions()) {
    const auto cost = cache_cost(model, {.precision = precision.name});
    if (!cost.ok()) continue;
    costs.emplace_back(precision.name, Json(Json::Object{{"ram", terms_json(cost->ram)},
                                                         {"cold", terms_json(cost->ram_cold)},
                                                         {"ssd", terms_json(cost->ssd)},
                                                         {"layers", layers_json(cost->ram)}}));
  }
  return Json(std::move(costs));
}

Json model_json(const std::string& name, const CacheModel& model) {
  return Json(Json::Object{{"name", name},
                           {"title", model.name},
                           {"source", model.source},
                           {"layers", model.layer_count},
                           {"limit", model.context_tokens_max},
                           {"notes", Json::Array(model.notes.begin(), model.notes.end())},
                           {"costs", costs_json(model)}});
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

std::string make_page(const std::optional<PageModel>& own) {
  Json::Array models;
  models.reserve(built_in_models().size() + 1);
  if (own) models.push_back(model_json(own->argument, own->model));
  for (const BuiltInModel& one : built_in_models()) {
    if (own && own->model.source == one.source && own->model.name == one.title) continue;
    const auto model = built_in_model(one.name);
    KVASIR_CHECK(model.ok(), "every built-in model can be read");
    models.push_back(model_json(one.name, *model));
  }
  const Json data(Json::Object{{"context_tokens_max", kContextTokensMax},
                               {"process_bytes_max", persist::kProcessBytesMax},
                               {"process_share", persist::kProcessShare},
                               {"models", std::move(models)}});
  std::string page(embedded::page_html);
  const size_t place = page.find(kDataPlace);
  KVASIR_CHECK(place != std::string::npos, "the page has a place for its data");
  page.replace(place, kDataPlace.size(), harmless(data.dump()));
  return page;
}

}  // namespace kvasir::plan
