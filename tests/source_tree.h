// The project's own files as text, for the tests that check how they are written.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kvasir {

struct SourceFile {
  std::string path;  // from the project's root, "src/base/json.h"
  std::string text;

  bool is_header() const { return path.ends_with(".h"); }
  // Everything but headers and sources has neither: CMake files, scripts, pages.
  bool is_cpp() const { return is_header() || path.ends_with(".cc"); }
  bool is_test() const { return path.ends_with("_test.cc") || path.starts_with("tests/"); }
};

// Every text file that is tracked or that git would offer to track; without git, every text file
// outside build folders. Ordered by path. Read once per process.
const std::vector<SourceFile>& project_files();

struct Include {
  int line = 0;        // 1-based
  std::string target;  // "base/json.h"
  bool is_quoted = false;
};
std::vector<Include> includes_of(std::string_view text);

std::vector<std::string_view> lines_of(std::string_view text);

// The text with comments, string and character literals and preprocessor lines blanked; lines and
// columns stay where they are.
std::string code_of(std::string_view text);

// "path:line: message", the form editors jump to.
std::string finding(const SourceFile& file, int line, std::string_view message);
// All findings below one another, for a failure message.
std::string joined(const std::vector<std::string>& findings);

}  // namespace kvasir
