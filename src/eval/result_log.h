// A ResultLog keeps what an evaluation has measured so far, one JSON line each. An evaluation that
// was stopped goes on from there.
//
// The first line says what is being measured, and a log of something else is refused. A line that
// was cut off by a crash is dropped. One thread at a time; the file is locked while it is open.
#pragma once

#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/json.h"
#include "kvasir/result.h"

namespace kvasir::eval {

class ResultLog {
 public:
  // Keeps nothing.
  ResultLog() = default;
  // Errors: not writable, in use, a log with results of other `settings`, a line that is no entry.
  static Result<ResultLog> open(const std::string& path, const Json& settings);

  // The result that is kept under this name, or null.
  const Json* find(const std::string& name) const;
  // Written and flushed when this returns. Error: not written.
  Status add(const std::string& name, Json result);

 private:
  struct Close {
    void operator()(FILE* file) const { std::fclose(file); }
  };

  // Fills results_ from a log's text; returns how much of it stays.
  Result<size_t> take_results(std::string_view text, const Json& settings);
  Status write_line(const Json& line);

  std::string path_;
  std::unique_ptr<FILE, Close> file_;
  std::map<std::string, Json> results_;
};

}  // namespace kvasir::eval
