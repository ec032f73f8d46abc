// These functions write what a store holds and did, as JSON and as text for a terminal.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "kvasir/conversations.h"
#include "kvasir/store_admin.h"

namespace kvasir::cli {

Json to_json(const StoreMetrics& metrics);
Json::Object json_of(const StoreSummary& summary, const StoreMetrics& totals,
                     const RemoteTotals& remote);
// replies: those that end where a run does, by its key.
using RepliesByKey = std::map<std::string, KeptReply>;
Json to_json(const std::vector<StoredRun>& runs, const RepliesByKey& replies, int64_t now_s);
Json to_json(const std::vector<StoreDamage>& damages);

// A tree of at most 100 columns, with the first words of each run where its model's tokenizer is
// still where it was.
std::string run_table(const std::vector<StoredRun>& runs, const RepliesByKey& replies,
                      int64_t now_s);
std::string summary_table(const StoreSummary& summary, const StoreMetrics& totals,
                          const RemoteTotals& remote);
std::string damage_lines(const std::vector<StoreDamage>& damages);

}  // namespace kvasir::cli
