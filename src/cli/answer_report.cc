#include "cli/answer_report.h"

#include <utility>

#include "base/process_memory.h"
#include "cli/notes.h"
#include "cli/store_report.h"
#include "server/remote_json.h"

namespace kvasir::cli {

Json to_json(const AnswerReport& report, const Engine& engine) {
  const ChatTurn& turn = report.turn;
  const StoreMetrics metrics = engine.store_metrics();
  Json::Object object{{"prompt_tokens", turn.prompt_tokens},
                      {"reused_tokens", turn.reused_tokens},
                      {"computed_tokens", turn.computed_tokens},
                      {"generated_tokens", turn.generated_tokens},
                      {"text", turn.answer},
                      {"reasoning", turn.reasoning},
                      {"stop_reason", name_of(turn.stop_reason)},
                      {"ttft_ms", turn.ttft_ms},
                      {"prefill_ms", turn.prefill_ms},
                      {"decode_ms", turn.decode_ms},
                      {"store_read_bytes", metrics[StoreMetric::kDiskReadBytes]},
                      {"store_written_bytes", metrics[StoreMetric::kWrittenBytes]},
                      {"kv_bytes", report.kv_bytes},
                      {"kv", report.kv},
                      {"threads", engine.info().thread_count},
                      {"instruction_set", engine.info().instruction_set},
                      {"compute", engine.info().compute},
                      {"mapped_panel_bytes", engine.info().mapped_panel_bytes},
                      {"rss_peak_bytes", rss_peak_bytes()},
                      {"notes", notes_json()}};
  if (report.has_store) object.emplace_back("store", to_json(metrics));
  const RemoteMetrics remote = engine.remote_metrics();
  if (!remote.endpoints.empty()) object.emplace_back("remote", server::json_of(remote));
  return object;
}

}  // namespace kvasir::cli
