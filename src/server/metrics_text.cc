#include "server/metrics_text.h"

#include <cmath>

#include <fmt/format.h>

namespace kvasir::server {
namespace {

// Writes families of metrics; each has the model as a label, as vLLM's have.
class Writer {
 public:
  explicit Writer(std::string_view model) : model_(escaped(model)) {}

  void counter(const char* name, const char* help, double value) {
    begin(name, help, "counter");
    sample(fmt::format("{}_total", name), "", value);
  }
  void gauge(const char* name, const char* help, double value) {
    begin(name, help, "gauge");
    sample(name, "", value);
  }
  // Then sample_of() for each value of the label.
  void labelled_counter(const char* name, const char* help) { begin(name, help, "counter"); }
  void sample_of(const char* name, const std::string& labels, double value) {
    sample(fmt::format("{}_total", name), "," + labels, value);
  }
  void labelled_gauge(const char* name, const char* help) { begin(name, help, "gauge"); }
  void gauge_of(const char* name, const std::string& labels, double value) {
    sample(name, "," + labels, value);
  }
  void histogram(const char* name, const char* help, const Histogram& histogram) {
    labelled_histogram(name, help);
    histogram_of(name, "", histogram);
  }
  void labelled_histogram(const char* name, const char* help) { begin(name, help, "histogram"); }
  // labels: with a comma before each.
  void histogram_of(const char* name, const std::string& labels, const Histogram& histogram) {
    int64_t below = 0;
    for (size_t i = 0; i < histogram.counts.size(); ++i) {
      below += histogram.counts[i];
      const std::string bound =
          i < histogram.bounds.size() ? fmt::format("{}", histogram.bounds[i]) : "+Inf";
      sample(fmt::format("{}_bucket", name), fmt::format("{},le=\"{}\"", labels, bound),
             static_cast<double>(below));
    }
    sample(fmt::format("{}_sum", name), labels, histogram.sum);
    sample(fmt::format("{}_count", name), labels, static_cast<double>(histogram.count));
  }

  static std::string escaped(std::string_view text) {
    std::string result;
    for (const char c : text) {
      if (c == '\\' || c == '"') result += '\\';
      result += c == '\n' ? ' ' : c;
    }
    return result;
  }
  std::string take() { return std::move(text_); }

 private:
  void begin(std::string_view name, const char* help, const char* type) {
    const char* suffix = std::string_view(type) == "counter" ? "_total" : "";
    text_ += fmt::format("# HELP kvasir_{0}{1} {2}\n# TYPE kvasir_{0}{1} {3}\n", name, suffix, help,
                         type);
  }
  void sample(std::string_view name, std::string_view labels, double value) {
    text_ += fmt::format("kvasir_{}{{model_name=\"{}\"{}}} {}\n", name, model_, labels,
                         value == std::floor(value) && std::abs(value) < 1e15
                             ? fmt::format("{:.0f}", value)
                             : fmt::format("{}", value));
  }

  std::string model_;
  std::string text_;
};

void write_requests(Writer& to, const ServiceMetrics& service) {
  to.gauge("num_requests_running", "Requests under way.",
           static_cast<double>(service.running_requests));
  to.gauge("num_requests_waiting", "Requests in the queue.",
           static_cast<double>(service.waiting_requests));
  to.gauge("num_tokens_waiting", "Prompt tokens of the requests in the queue.",
           static_cast<double>(service.waiting_tokens));
  to.gauge("num_sessions_idle", "Sessions kept in memory for a next turn.",
           static_cast<double>(service.idle_sessions));
  const char* success = "request_success";
  to.labelled_counter(success, "Requests by how they ended.");
  to.sample_of(success, "finished_reason=\"stop\"", static_cast<double>(service.finished_by_end));
  to.sample_of(success, "finished_reason=\"length\"",
               static_cast<double>(service.finished_by_length));
  to.sample_of(success, "finished_reason=\"abort\"", static_cast<double>(service.cancelled));
  to.sample_of(success, "finished_reason=\"error\"", static_cast<double>(service.failed));
  to.counter("admission_rejections", "Requests refused because the queue was full.",
             static_cast<double>(service.refused));
  to.counter("passes", "Forward passes.", static_cast<double>(service.passes));
}

void write_tokens(Writer& to, const ServiceMetrics& service) {
  to.counter("prompt_tokens", "Tokens of prompts.", static_cast<double>(service.prompt_tokens));
  to.counter("prompt_tokens_cached", "Tokens of prompts that were not computed.",
             static_cast<double>(service.reused_ram_tokens + service.reused_disk_tokens +
                                 service.reused_remote_tokens));
  const char* by_source = "prompt_tokens_by_source";
  to.labelled_counter(by_source, "Tokens of prompts by where they came from.");
  to.sample_of(by_source, "source=\"computed\"", static_cast<double>(service.computed_tokens));
  to.sample_of(by_source, "source=\"ram\"", static_cast<double>(service.reused_ram_tokens));
  to.sample_of(by_source, "source=\"disk\"", static_cast<double>(service.reused_disk_tokens));
  to.sample_of(by_source, "source=\"remote\"", static_cast<double>(service.reused_remote_tokens));
  to.counter("generation_tokens", "Sampled tokens.", static_cast<double>(service.generated_tokens));
}

void write_times(Writer& to, const ServiceMetrics& service) {
  to.histogram("time_to_first_token_seconds", "From the request to its first sampled token.",
               service.first_token_seconds);
  to.histogram("inter_token_latency_seconds", "Between two tokens of one answer.",
               service.between_tokens_seconds);
  to.histogram("e2e_request_latency_seconds", "From the request to its end.",
               service.request_seconds);
  to.histogram("request_queue_time_seconds", "In the queue.", service.queue_seconds);
  to.histogram("request_prefill_time_seconds", "Computing what of a prompt was not there.",
               service.prefill_seconds);
  to.histogram("request_decode_time_seconds", "From the computed prompt to the last token.",
               service.decode_seconds);
  to.histogram("request_prompt_tokens", "Tokens of a prompt.", service.prompt_token_counts);
  to.histogram("request_generation_tokens", "Sampled tokens of a request.",
               service.generated_token_counts);
}

void write_store(Writer& to, const MetricsInput& input) {
  to.gauge("kv_cache_bytes", "Bytes of cache in memory.",
           static_cast<double>(input.service.kv_bytes));
  to.counter("prefix_cache_queries", "Tokens looked for in the store.",
             static_cast<double>(input.store[StoreMetric::kRequestedTokens]));
  to.counter("prefix_cache_hits", "Tokens found there.",
             static_cast<double>(input.store[StoreMetric::kHitTokens]));
  for (size_t i = 0; i < kStoreMetricCount; ++i) {
    const auto metric = static_cast<StoreMetric>(i);
    to.counter(fmt::format("store_{}", name_of(metric)).c_str(),
               "Counted by the store since it was opened.",
               static_cast<double>(input.store[metric]));
  }
}

// One family for each count of an engine, with a line for each engine.
void write_engines(Writer& to, const std::vector<RemoteEndpointMetrics>& engines) {
  struct Count {
    const char* name;
    const char* help;
    int64_t RemoteEndpointMetrics::*value;
  };
  constexpr Count kCounts[] = {
      {"remote_closed_off", "Times that an engine failed and was left alone.",
       &RemoteEndpointMetrics::closed_off_count},
      {"remote_failures", "Calls that the engine or the link failed.",
       &RemoteEndpointMetrics::failures},
      {"remote_deadline_exceeded", "Calls that their time ended.",
       &RemoteEndpointMetrics::deadline_exceeded},
      {"remote_read_objects", "Objects read.", &RemoteEndpointMetrics::read_objects},
      {"remote_read_bytes", "Bytes read.", &RemoteEndpointMetrics::read_bytes},
      {"remote_written_objects", "Objects written.", &RemoteEndpointMetrics::written_objects},
      {"remote_written_bytes", "Bytes written.", &RemoteEndpointMetrics::written_bytes},
      {"remote_missing_objects",
       "Objects that were gone after the engine had said they were there.",
       &RemoteEndpointMetrics::missing_objects},
      {"remote_wrong_bytes", "Objects that were not what their names say; none was used.",
       &RemoteEndpointMetrics::wrong_bytes},
      {"remote_unreadable_objects", "Objects that the engine had and failed to read.",
       &RemoteEndpointMetrics::unreadable_objects},
      {"remote_full_answers", "Writes that the engine had no room for, or could not make.",
       &RemoteEndpointMetrics::full_answers},
      {"remote_hedged_requests", "Late requests that the next engine was asked for, too.",
       &RemoteEndpointMetrics::hedged_requests},
      {"remote_won_hedges", "Of these, those that the next engine answered first.",
       &RemoteEndpointMetrics::won_hedges},
  };
  const auto label = [](const RemoteEndpointMetrics& engine) {
    return fmt::format("endpoint=\"{}\"", Writer::escaped(engine.label));
  };
  for (const Count& count : kCounts) {
    to.labelled_counter(count.name, count.help);
    for (const auto& engine : engines) {
      to.sample_of(count.name, label(engine), static_cast<double>(engine.*count.value));
    }
  }
  const auto gauge = [&](const char* name, const char* help, auto value) {
    to.labelled_gauge(name, help);
    for (const auto& engine : engines) {
      to.gauge_of(name, label(engine), static_cast<double>(engine.*value));
    }
  };
  gauge("remote_is_closed_off", "1: it failed, and is only tried now and then.",
        &RemoteEndpointMetrics::is_closed_off);
  gauge("remote_is_read_only",
        "1: it is full, or failed to write: that is only tried now and then.",
        &RemoteEndpointMetrics::is_read_only);
  gauge("remote_queued_calls", "Calls that wait for a connection.",
        &RemoteEndpointMetrics::queued_calls);
  to.labelled_histogram("remote_call_seconds", "Calls by what they did.");
  for (const auto& engine : engines) {
    for (size_t i = 0; i < kRemoteOperationCount; ++i) {
      to.histogram_of("remote_call_seconds",
                      fmt::format(",{},operation=\"{}\"", label(engine),
                                  name_of(static_cast<RemoteOperation>(i))),
                      engine.seconds[i]);
    }
  }
}

void write_remote(Writer& to, const RemoteMetrics& remote) {
  if (remote.endpoints.empty()) return;
  to.counter("remote_lookups", "Prompts looked for in the remote tier.",
             static_cast<double>(remote.lookups));
  to.counter("remote_requested_tokens", "Tokens of these that the own store did not have.",
             static_cast<double>(remote.requested_tokens));
  to.counter("remote_hit_tokens", "Of these, tokens that were brought.",
             static_cast<double>(remote.hit_tokens));
  to.counter("remote_negative_hits", "Questions spared, because the answer was just no.",
             static_cast<double>(remote.negative_hits));
  to.counter("remote_round_trips", "That these waited for, one after the other.",
             static_cast<double>(remote.round_trips));
  to.counter("remote_given_up", "Prompts that computing was faster for.",
             static_cast<double>(remote.given_up));
  to.counter("remote_head_blocks", "Blocks whose hot part came before their rest.",
             static_cast<double>(remote.head_blocks));
  to.counter("remote_late_pieces", "Pieces of cold rows that were wanted before that rest came.",
             static_cast<double>(remote.late_pieces));
  to.counter("remote_written_chains", "Texts written.", static_cast<double>(remote.written_chains));
  to.counter("remote_dropped_chains", "Texts not written, because too many waited.",
             static_cast<double>(remote.dropped_chains));
  to.gauge("remote_queued_chains", "Texts that wait to be written.",
           static_cast<double>(remote.queued_chains));
  write_engines(to, remote.endpoints);
}

void write_http(Writer& to, const MetricsInput& input) {
  to.gauge("http_connections", "Open connections.", static_cast<double>(input.http.connections));
  to.counter("http_connections_accepted", "Connections.", static_cast<double>(input.http.accepted));
  to.counter("http_refused", "Malformed, too large or too slow requests.",
             static_cast<double>(input.http.refused));
  to.counter("http_cut_off", "Clients that did not read what waited for them.",
             static_cast<double>(input.http.cut_off));
  const char* requests = "http_requests";
  to.labelled_counter(requests, "Responses by route and status.");
  for (const RouteCount& route : input.routes) {
    to.sample_of(
        requests,
        fmt::format("route=\"{}\",status=\"{}\"", Writer::escaped(route.route), route.status),
        static_cast<double>(route.count));
  }
  const char* repairs = "repairs";
  to.labelled_counter(repairs, "What clients sent that would have cost a prefix, set right.");
  for (size_t i = 0; i < kRepairCount; ++i) {
    const auto repair = static_cast<Repair>(i);
    to.sample_of(repairs, fmt::format("kind=\"{}\"", name_of(repair)),
                 static_cast<double>(input.repairs[repair]));
  }
  to.gauge("process_resident_memory_bytes", "Resident memory of the process.",
           static_cast<double>(input.process_rss_bytes));
  to.gauge("process_start_time_seconds", "When it started, in Unix time.", input.started_at_s);
}

}  // namespace

std::string metrics_text(const MetricsInput& input) {
  Writer to(input.model);
  write_requests(to, input.service);
  write_tokens(to, input.service);
  write_times(to, input.service);
  write_store(to, input);
  write_remote(to, input.remote);
  write_http(to, input);
  return to.take();
}

}  // namespace kvasir::server
