#include "doc_tables.h"

#include <algorithm>

#include "source_tree.h"

namespace kvasir {
namespace {

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

// "| a | b |" -> "a", "b".
DocRow cells_of(std::string_view line) {
  DocRow cells;
  line.remove_prefix(1);
  for (size_t end = line.find('|'); end != line.npos; end = line.find('|')) {
    cells.emplace_back(trimmed(line.substr(0, end)));
    line.remove_prefix(end + 1);
  }
  return cells;
}

}  // namespace

std::string_view project_text(std::string_view path) {
  const auto& files = project_files();
  const auto file = std::ranges::find(files, path, &SourceFile::path);
  return file == files.end() ? std::string_view() : std::string_view(file->text);
}

std::vector<DocRow> doc_table(std::string_view path, std::string_view name) {
  std::string_view text = project_text(path);
  const size_t begin = text.find("<!-- " + std::string(name) + " -->");
  if (begin == text.npos) return {};
  text.remove_prefix(begin);
  text = text.substr(0, text.find("<!-- end -->"));
  std::vector<DocRow> rows;
  for (const std::string_view line : lines_of(text)) {
    if (line.starts_with('|')) rows.push_back(cells_of(line));
  }
  // The first two are the heading and the line below it.
  rows.erase(rows.begin(), rows.begin() + std::min<std::ptrdiff_t>(2, std::ssize(rows)));
  return rows;
}

std::vector<std::string> backquoted(std::string_view cell) {
  std::vector<std::string> words;
  while (true) {
    const size_t begin = cell.find('`');
    if (begin == cell.npos) return words;
    const size_t end = cell.find('`', begin + 1);
    if (end == cell.npos) return words;
    words.emplace_back(cell.substr(begin + 1, end - begin - 1));
    cell.remove_prefix(end + 1);
  }
}

std::vector<std::string> link_targets(std::string_view text) {
  std::vector<std::string> targets;
  for (size_t at = text.find("]("); at != text.npos; at = text.find("](", at + 2)) {
    targets.emplace_back(text.substr(at + 2, text.find(')', at) - at - 2));
  }
  return targets;
}

}  // namespace kvasir
