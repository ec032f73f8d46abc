// An Answer is what a client saw of one request, with the times at which it saw it. read_chunk()
// understands one event of a stream of Chat Completions or Completions; parse_url() an address.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "kvasir/result.h"

namespace kvasir::bench {

struct Endpoint {
  std::string host;
  std::string port;
  std::string base_path;  // "" or "/api"
};
// "http://127.0.0.1:8080", "http://[::1]:8080/api". Error (kUsage): something else.
Result<Endpoint> parse_url(const std::string& url);

struct Answer {
  int status = 0;
  std::string error;             // empty: none
  bool is_cancelled = false;     // by this side
  double started_ms = 0;         // of the steady clock; the others count from here
  double first_event_ms = -1;    // anything at all of a stream; -1: never
  std::vector<double> token_ms;  // each event with text
  double ended_ms = 0;
  std::string text;
  std::string body;  // of what was no stream
  int64_t prompt_tokens = 0;
  int64_t generated_tokens = 0;  // where the server does not say: events with text
  int64_t cached_tokens = -1;    // of the prompt; -1: the server does not say

  bool ok() const { return error.empty(); }
};

// Adds an event that came at `at_ms` to its answer.
void read_chunk(std::string_view data, double at_ms, Answer& answer);
// Takes the text and the usage of a whole response.
void read_usage(const Json& response, Answer& answer);

}  // namespace kvasir::bench
