#include "plan/bill.h"

#include <fmt/format.h>

namespace kvasir::plan {
namespace {

// Sums of a few such numbers stay far below the limits of int64.
constexpr int64_t kBytesMax = int64_t{1} << 60;

BillLine& line_of(Bill& bill, const Term& term) {
  for (BillLine& line : bill.lines) {
    if (line.part == term.part) return line;
  }
  bill.lines.push_back({.part = term.part, .is_state = term.is_state});
  return bill.lines.back();
}

Status check_size(const char* what, int64_t bytes) {
  if (bytes <= kBytesMax) return ok_status();
  return Error{.kind = ErrorKind::kUsage,
               .what = "no memory is that large",
               .where = what,
               .expected = fmt::format("at most {} bytes", kBytesMax),
               .found = std::to_string(bytes)};
}

}  // namespace

Result<Bill> make_bill(const CacheModel& model, const CostOptions& options, const Load& load,
                       int thread_count) {
  KVASIR_ASSIGN_OR_RETURN(const CacheCost cost, cache_cost(model, options));
  KVASIR_RETURN_IF_ERROR(check_size("weights", model.weight_bytes.value_or(0)));
  for (const std::vector<Term>* terms : {&cost.ram, &cost.ram_cold, &cost.ssd}) {
    KVASIR_RETURN_IF_ERROR(check_size("cache", bytes_of(*terms, load)));
  }
  Bill bill;
  bill.notes = cost.notes;
  bill.records = cost.records;
  for (const Term& term : cost.ram) {
    BillLine& line = line_of(bill, term);
    const int64_t bytes = bytes_of(term, load);
    line.layer_count += term.layer_count;
    line.ram_bytes += bytes;
    line.bytes_per_token += term.bytes_per_token();
    bill.bytes_per_token += term.bytes_per_token();
    if (!term.is_state) bill.row_bytes += bytes;
  }
  for (const Term& term : cost.ram_cold) line_of(bill, term).ram_cold_bytes += bytes_of(term, load);
  for (const Term& term : cost.ssd) line_of(bill, term).ssd_bytes += bytes_of(term, load);
  bill.ram_bytes = bytes_of(cost.ram, load);
  if (!cost.ram_cold.empty()) {
    bill.ram_cold_bytes = bytes_of(cost.ram_cold, load);
    bill.ram_budget_bytes = budget_for_cold(*bill.ram_cold_bytes);
  }
  if (!cost.ssd.empty()) bill.ssd_bytes = bytes_of(cost.ssd, load);
  if (model.weight_bytes) bill.weight_bytes = weights_of_rank(model, options);
  bill.pass_buffer_bytes = pass_buffer_bytes(model, options, load.context_tokens, thread_count);
  bill.copied_bytes = copied_bytes(model, options);
  bill.mapped_panel_bytes = mapped_panel_bytes(model, options);
  return bill;
}

}  // namespace kvasir::plan
