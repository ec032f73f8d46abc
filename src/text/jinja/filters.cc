#include "text/jinja/filters.h"

#include <algorithm>
#include <string>

#include "text/jinja/filter_tables.h"
#include "text/jinja/printing.h"

namespace kvasir::text::jinja {
namespace {

// Jinja has these too; no chat template has been seen with them.
constexpr std::string_view kUnsupported[] = {
    "filesizeformat", "forceescape", "groupby", "pprint",   "random", "striptags",
    "truncate",       "urlencode",   "urlize",  "wordwrap", "xmlattr"};

const FilterEntry* find_filter(std::string_view name) {
  for (const auto table : {text_filters(), list_filters(), order_filters(), number_filters()}) {
    const auto found = std::ranges::find(table, name, &FilterEntry::name);
    if (found != table.end()) return &*found;
  }
  return nullptr;
}

}  // namespace

bool is_filter(std::string_view name) {
  return find_filter(name) != nullptr ||
         std::ranges::find(kUnsupported, name) != std::end(kUnsupported);
}

Value apply_filter(Interpreter& interpreter, std::string_view name, const Value& input,
                   const Arguments& arguments) {
  const Budget::Deeper deeper(interpreter.budget());
  if (interpreter.budget().failed()) return {};
  if (const FilterEntry* found = find_filter(name)) {
    return found->filter(interpreter, input, arguments);
  }
  if (is_filter(name))
    return interpreter.budget().fail_unsupported("unsupported filter " + in_quotes(name));
  return interpreter.budget().fail_to_render("there is no filter named " + in_quotes(name));
}

}  // namespace kvasir::text::jinja
