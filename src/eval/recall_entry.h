// A RecallEntry holds the answers about one document of a recall evaluation. It is kept in the log
// as JSON.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "eval/recall_document.h"
#include "kvasir/result.h"

namespace kvasir::eval {

struct AnsweredQuestion {
  RecallQuestion question;
  std::string answer;  // the model's
  // Nats a token of the right answer from what the first run predicts; that run has none.
  std::optional<double> kl = std::nullopt;
  // Character for character; behind an opening it is enough that the answer goes on with the value,
  // whatever marks are around it and whatever else is said then.
  bool is_right() const;
};

struct RecallEntry {
  std::vector<AnsweredQuestion> questions;
  int64_t kv_bytes = 0;  // of the session that held the document
};

Json to_json(const RecallEntry& entry);
// Error: a log that was changed by somebody else; `where` names the entry.
Result<RecallEntry> parse_recall_entry(const Json& json, const std::string& where);

}  // namespace kvasir::eval
