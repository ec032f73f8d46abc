// Tables of the documentation as cells, for the tests that compare what a page says with what the
// code does.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kvasir {

using DocRow = std::vector<std::string>;  // cells, without the spaces around them

// The rows below the heading of the table that stands in the page `path` (from the project's root)
// between "<!-- NAME -->" and "<!-- end -->". Empty when the page has no such table.
std::vector<DocRow> doc_table(std::string_view path, std::string_view name);

// The words of a cell that stand `in backquotes`.
std::vector<std::string> backquoted(std::string_view cell);

// "](target" of every Markdown link in the text.
std::vector<std::string> link_targets(std::string_view text);

// The text of one of the project's files. Empty when there is none.
std::string_view project_text(std::string_view path);

}  // namespace kvasir
