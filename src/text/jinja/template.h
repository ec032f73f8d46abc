// A Template is a Jinja template as chat templates of published models are written in, and renders
// them as Jinja2 does with the settings of Hugging Face transformers: trim_blocks, lstrip_blocks,
// break and continue, the immutable sandbox, its tojson, raise_exception() and strftime_now(). What
// it does not support is an error that says so, never other text. Integers have 64 bits.
//
// Templates and variables are outside bytes: what they may take is bounded by TemplateLimits.
// A Template is immutable, and any number of threads may render it at the same time.
#pragma once

#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kvasir/result.h"
#include "text/jinja/limits.h"
#include "text/jinja/value.h"

namespace kvasir::text::jinja {

// A piece of what was rendered. A tokenizer may look for markers in literal pieces alone.
struct Segment {
  std::string text;
  bool is_literal = false;  // written by the template, not derived from a variable

  bool operator==(const Segment&) const = default;
};

// The whole text of the pieces.
std::string text_of(const std::vector<Segment>& segments);

class Template {
 public:
  // `where` names the template in messages; they also say the line.
  static Result<Template> parse(std::string_view source, std::string_view where,
                                const TemplateLimits& limits = {});

  // `now` is what strftime_now() tells; without one it is the time of the call. Neighbours differ
  // in their origin. Errors: kUsage when template and variables do not go together
  // (raise_exception() too), kNoRoom when a limit is reached, kUnsupported for what is not
  // supported.
  Result<std::vector<Segment>> render(const Dict& variables,
                                      const std::optional<std::tm>& now = std::nullopt) const;

 private:
  struct Parsed;

  explicit Template(std::shared_ptr<const Parsed> parsed) : parsed_(std::move(parsed)) {}

  std::shared_ptr<const Parsed> parsed_;
};

}  // namespace kvasir::text::jinja
