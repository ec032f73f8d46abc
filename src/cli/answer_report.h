// An AnswerReport tells about one answer in the words of the --json contract, whichever command
// gave it.
#pragma once

#include <cstdint>
#include <string>

#include "base/json.h"
#include "kvasir/chat.h"
#include "kvasir/engine.h"

namespace kvasir::cli {

struct AnswerReport {
  ChatTurn turn;
  int64_t kv_bytes = 0;   // while the session still holds it
  std::string kv;         // the cache's precision
  bool has_store = true;  // one was not forbidden
};

Json to_json(const AnswerReport& report, const Engine& engine);

}  // namespace kvasir::cli
