// An AccessLog writes one line for each request: when, who, what, how it ended, how long, tokens by
// source. Never a prompt, an answer or a key. Any thread.
#pragma once

#include <chrono>
#include <functional>
#include <mutex>
#include <string>

namespace kvasir::server {

struct AccessEntry {
  std::string request_id;
  std::string caller;  // Guard::caller_name
  std::string peer;
  std::string method;
  std::string path;
  int status = 0;
  double ms = 0;
  // Of requests that computed; -1: it did not.
  int64_t prompt_tokens = -1;
  int64_t reused_ram_tokens = 0;
  int64_t reused_disk_tokens = 0;
  int64_t reused_remote_tokens = 0;
  int64_t generated_tokens = 0;
  double queue_ms = 0;
  double first_token_ms = 0;
  std::string outcome;  // "stop", "length", "gone", "invalid_request", ...
  std::string reuse;    // why not more of the prompt was reused; places and counts alone
  std::string note;     // for a person
};

// One line of key=value pairs, without a newline; control characters are escaped.
std::string line_of(const AccessEntry& entry, std::chrono::system_clock::time_point when);

class AccessLog {
 public:
  // `write` gets whole lines, one call at a time. Null: nothing is logged.
  explicit AccessLog(std::function<void(const std::string& line)> write);
  void add(const AccessEntry& entry);

 private:
  std::mutex mutex_;
  std::function<void(const std::string& line)> write_;
};

}  // namespace kvasir::server
