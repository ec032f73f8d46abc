#include <fmt/format.h>

#include <utility>

#include "base/json.h"
#include "cli/plan_report.h"
#include "cli/quality_text.h"
#include "kvasir/cache_size.h"

namespace kvasir::cli {
namespace {

Json bytes_or_null(const std::optional<int64_t>& bytes) { return bytes ? Json(*bytes) : Json(); }

Json bill_json(const plan::Bill& bill) {
  Json::Array lines;
  lines.reserve(bill.lines.size());
  for (const plan::BillLine& line : bill.lines) {
    lines.emplace_back(Json::Object{{"part", line.part},
                                    {"layers", line.layer_count},
                                    {"bytes_per_token", line.bytes_per_token},
                                    {"is_state", line.is_state},
                                    {"ram_bytes", line.ram_bytes},
                                    {"ram_cold_bytes", line.ram_cold_bytes},
                                    {"ssd_bytes", line.ssd_bytes}});
  }
  return Json(Json::Object{{"lines", std::move(lines)},
                           {"bytes_per_token", bill.bytes_per_token},
                           {"row_bytes", bill.row_bytes},
                           {"ram_bytes", bill.ram_bytes},
                           {"ram_cold_bytes", bytes_or_null(bill.ram_cold_bytes)},
                           {"ram_budget_bytes", bytes_or_null(bill.ram_budget_bytes)},
                           {"ssd_bytes", bytes_or_null(bill.ssd_bytes)},
                           {"weight_bytes", bytes_or_null(bill.weight_bytes)},
                           {"pass_buffer_bytes", bill.pass_buffer_bytes},
                           {"copied_bytes", bytes_or_null(bill.copied_bytes)},
                           {"mapped_panel_bytes", bill.mapped_panel_bytes}});
}

Json::Object fit_json(const plan::Fit& fit) {
  return {{"precision", fit.precision},
          {"residency", fit.placement == plan::Placement::kRam ? "ram" : "cold_on_ssd"},
          {"context_tokens", fit.context_tokens},
          {"is_model_limit", fit.is_model_limit},
          {"memory_bytes", fit.memory_bytes},
          {"ssd_bytes", fit.ssd_bytes},
          {"bytes_per_token", fit.bytes_per_token}};
}

Json measured_fit_json(const plan::MeasuredFit& measured) {
  Json::Object object = fit_json(measured.fit);
  object.emplace_back("finding", finding_json(measured.finding));
  return object;
}

Json curve_json(const PlanAnswer& answer) {
  Json::Array points;
  points.reserve(answer.chart.size());
  for (size_t i = 0; i < answer.chart.size(); ++i) {
    const plan::Bill& bill = answer.chart[i];
    points.emplace_back(Json::Object{{"context_tokens", answer.chart_tokens[i]},
                                     {"ram_bytes", bill.ram_bytes},
                                     {"ram_budget_bytes", bytes_or_null(bill.ram_budget_bytes)},
                                     {"ssd_bytes", bytes_or_null(bill.ssd_bytes)}});
  }
  return Json(std::move(points));
}

Json memory_json(const PlanAnswer& answer) {
  Json::Array fits;
  fits.reserve(answer.fits.size());
  for (const plan::Fit& fit : answer.fits) fits.emplace_back(fit_json(fit));
  Json::Array measured;
  for (const plan::MeasuredFit& fit : answer.measured) measured.push_back(measured_fit_json(fit));
  return Json(Json::Object{
      {"memory_bytes", answer.question.memory_bytes},
      {"headroom_bytes", answer.question.headroom_bytes},
      {"fits", std::move(fits)},
      {"measured", std::move(measured)},
      {"choice", answer.advice.choice == nullptr ? Json() : Json(fit_json(*answer.advice.choice))},
      {"reason", answer.advice.reason}});
}

Json remote_json(const PlanAnswer& answer) {
  const std::optional<plan::RemoteCost>& remote = answer.remote;
  Json::Object object{{"link_bits_per_s", answer.link_bits_per_s}, {"is_held_here", bool(remote)}};
  if (!remote) return Json(std::move(object));
  object.emplace_back("block_bytes", remote->records.block_bytes);
  object.emplace_back("state_bytes", remote->records.state_bytes);
  object.emplace_back("bytes_per_token", remote->bytes_per_token);
  object.emplace_back("held_objects", remote->held_objects);
  object.emplace_back("held_bytes", remote->held_bytes);
  object.emplace_back("resumed_objects", remote->resumed_objects);
  object.emplace_back("resumed_bytes", remote->resumed_bytes);
  object.emplace_back("resume_s", remote->resume_s);
  return Json(std::move(object));
}

}  // namespace

std::string plan_json(const PlanAnswer& answer) {
  Json::Array notes(answer.model.notes.begin(), answer.model.notes.end());
  notes.insert(notes.end(), answer.bill.notes.begin(), answer.bill.notes.end());
  Json::Object object{{"model", answer.model.name},
                      {"architecture", answer.model.architecture},
                      {"source", answer.model.source},
                      {"layers", answer.model.layer_count},
                      {"context_tokens_max", answer.model.context_tokens_max},
                      {"notes", std::move(notes)},
                      {"context_tokens", answer.load.context_tokens},
                      {"sequences", answer.load.sequences},
                      {"shared_prefix_tokens", answer.load.shared_prefix_tokens},
                      {"precision", answer.options.precision},
                      {"index_precision", answer.options.index_precision},
                      {"state_precision", answer.options.state_precision},
                      {"page_tokens", answer.options.page_tokens},
                      {"keeps_whole_windows", answer.options.keeps_whole_windows},
                      {"with_draft", answer.options.with_draft},
                      {"pass_tokens", answer.options.pass_tokens},
                      {"tensor_parallel", answer.options.tensor_parallel},
                      {"data_parallel", answer.data_parallel},
                      {"thread_count", answer.thread_count},
                      {"bill", bill_json(answer.bill)},
                      {"quality", quality_json(answer.quality)},
                      {"curve", curve_json(answer)}};
  if (!answer.fits.empty()) object.emplace_back("memory", memory_json(answer));
  if (answer.link_bits_per_s > 0) object.emplace_back("remote", remote_json(answer));
  return Json(std::move(object)).dump();
}

std::string plan_names_json(const std::vector<plan::Measurement>& measurements) {
  Json::Array models;
  for (const plan::BuiltInModel& model : plan::built_in_models()) {
    models.emplace_back(Json::Object{{"name", model.name},
                                     {"title", model.title},
                                     {"source", model.source},
                                     {"is_confirmed", model.is_confirmed}});
  }
  Json::Array precisions;
  for (const plan::PrecisionInfo& precision : plan::precisions()) {
    precisions.emplace_back(Json::Object{
        {"name", precision.name}, {"what", precision.what}, {"runs_here", precision.runs_here}});
  }
  Json::Array codings;
  for (const CacheCoding& coding : cache_codings()) {
    codings.emplace_back(Json::Object{
        {"name", coding.name}, {"what", coding.what}, {"needs_kv_data", coding.needs_learning}});
  }
  Json::Array measured;
  for (const plan::Measurement& one : measurements) {
    for (const plan::MeasuredPrecision& precision : one.precisions) {
      measured.push_back(finding_json({.measurement = &one, .precision = &precision}));
    }
  }
  const auto list = [](const std::vector<std::string>& names) {
    return Json(Json::Array(names.begin(), names.end()));
  };
  return Json(Json::Object{{"models", std::move(models)},
                           {"architectures", list(plan::known_architectures())},
                           {"gguf_architectures", list(plan::known_gguf_architectures())},
                           {"precisions", std::move(precisions)},
                           {"codings", std::move(codings)},
                           {"measured", std::move(measured)}})
      .dump();
}

}  // namespace kvasir::cli
