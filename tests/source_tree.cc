#include "source_tree.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace kvasir {
namespace {

namespace fs = std::filesystem;

constexpr size_t kTextBytesMax = size_t{8} << 20;

std::vector<std::string> paths_from_git(const std::string& root) {
  const std::string command =
      "git -C '" + root + "' ls-files --cached --others --exclude-standard 2>/dev/null";
  std::vector<std::string> paths;
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return paths;
  std::array<char, 4096> line;
  while (std::fgets(line.data(), line.size(), pipe) != nullptr) {
    std::string path(line.data());
    while (!path.empty() && path.back() == '\n') path.pop_back();
    paths.push_back(path);
  }
  pclose(pipe);
  return paths;
}

std::vector<std::string> paths_from_walk(const std::string& root) {
  std::vector<std::string> paths;
  for (auto entry = fs::recursive_directory_iterator(root); entry != fs::end(entry); ++entry) {
    const std::string name = entry->path().filename();
    if (entry->is_directory() && (name == ".git" || name == "build" || name == ".venv")) {
      entry.disable_recursion_pending();
    }
    if (entry->is_regular_file()) paths.push_back(fs::relative(entry->path(), root));
  }
  return paths;
}

std::vector<SourceFile> read_project() {
  const std::string root = KVASIR_SOURCE_DIR;
  std::vector<std::string> paths = paths_from_git(root);
  if (paths.empty()) paths = paths_from_walk(root);
  std::sort(paths.begin(), paths.end());
  std::vector<SourceFile> files;
  for (const std::string& path : paths) {
    const fs::path full = fs::path(root) / path;
    if (!fs::is_regular_file(full) || fs::file_size(full) > kTextBytesMax) continue;
    std::ifstream in(full, std::ios::binary);
    SourceFile file{path, {std::istreambuf_iterator<char>(in), {}}};
    if (file.text.find('\0') == std::string::npos) files.push_back(std::move(file));
  }
  return files;
}

std::string_view trimmed(std::string_view line) {
  while (!line.empty() && std::isspace(static_cast<unsigned char>(line.front()))) {
    line.remove_prefix(1);
  }
  return line;
}

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

// Walks over C++ text and blanks what is no code.
class Blanker {
 public:
  explicit Blanker(std::string_view text) : text_(text), code_(text) {}

  std::string run() && {
    while (position_ < text_.size()) step();
    return std::move(code_);
  }

 private:
  void step() {
    const char c = text_[position_];
    if (starts_with("//")) {
      blank_to(find("\n", position_));
    } else if (starts_with("/*")) {
      blank_to(find("*/", position_ + 2) + 2);
    } else if (c == '#' && line_is_blank_) {
      blank_preprocessor_line();
    } else if (starts_with("R\"") && (position_ == 0 || !is_word(text_[position_ - 1]))) {
      const size_t open = find("(", position_);
      const std::string close =
          ")" + std::string(text_.substr(position_ + 2, open - position_ - 2)) + "\"";
      blank_to(find(close, open) + close.size());
    } else if (c == '"' || (c == '\'' && (position_ == 0 || !is_word(text_[position_ - 1])))) {
      blank_literal(c);
    } else {
      if (c == '\n') line_is_blank_ = true;
      if (!std::isspace(static_cast<unsigned char>(c))) line_is_blank_ = false;
      ++position_;
    }
  }

  bool starts_with(std::string_view what) const {
    return text_.substr(position_, what.size()) == what;
  }
  size_t find(std::string_view what, size_t from) const {
    const size_t at = text_.find(what, from);
    return at == std::string_view::npos ? text_.size() : at;
  }
  void blank_to(size_t end) {
    for (end = std::min(end, text_.size()); position_ < end; ++position_) {
      if (text_[position_] != '\n') code_[position_] = ' ';
    }
  }
  void blank_literal(char quote) {
    size_t end = position_ + 1;
    while (end < text_.size() && text_[end] != quote && text_[end] != '\n') {
      end += text_[end] == '\\' ? 2 : 1;
    }
    blank_to(end + 1);
    line_is_blank_ = false;
  }
  void blank_preprocessor_line() {
    size_t end = find("\n", position_);
    while (end < text_.size() && text_[end - 1] == '\\') end = find("\n", end + 1);
    blank_to(end);
  }

  std::string_view text_;
  std::string code_;
  size_t position_ = 0;
  bool line_is_blank_ = true;
};

}  // namespace

const std::vector<SourceFile>& project_files() {
  static const std::vector<SourceFile> files = read_project();
  return files;
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::vector<Include> includes_of(std::string_view text) {
  std::vector<Include> includes;
  int number = 0;
  for (std::string_view line : lines_of(text)) {
    ++number;
    line = trimmed(line);
    if (!line.starts_with("#")) continue;
    line = trimmed(line.substr(1));
    if (!line.starts_with("include")) continue;
    line = trimmed(line.substr(7));
    if (line.empty() || (line[0] != '"' && line[0] != '<')) continue;
    const bool is_quoted = line[0] == '"';
    const size_t end = line.find(is_quoted ? '"' : '>', 1);
    if (end == std::string_view::npos) continue;
    includes.push_back({number, std::string(line.substr(1, end - 1)), is_quoted});
  }
  return includes;
}

std::string code_of(std::string_view text) { return Blanker(text).run(); }

std::string finding(const SourceFile& file, int line, std::string_view message) {
  return file.path + ":" + std::to_string(line) + ": " + std::string(message);
}

std::string joined(const std::vector<std::string>& findings) {
  std::string all;
  for (const std::string& one : findings) all += "\n" + one;
  return all;
}

}  // namespace kvasir
