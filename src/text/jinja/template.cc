#include "text/jinja/template.h"

#include <utility>

#include "base/utf8.h"
#include "text/jinja/failure.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/parser.h"

namespace kvasir::text::jinja {

struct Template::Parsed {
  std::string where;
  TemplateLimits limits;
  Body body;
};

namespace {

Error error_of(const Failure& failure, std::string_view where, int line) {
  return Error{.kind = failure.kind,
               .what = failure.what,
               .where = std::string(where) + ", line " +
                        std::to_string(failure.line > 0 ? failure.line : line)};
}

Status check_source(std::string_view source, std::string_view where, const TemplateLimits& limits) {
  if (source.size() > limits.source_bytes_max) {
    return Error{.kind = ErrorKind::kNoRoom,
                 .what = "the template is too large",
                 .where = std::string(where),
                 .expected = "at most " + std::to_string(limits.source_bytes_max) + " bytes",
                 .found = std::to_string(source.size())};
  }
  for (size_t at = 0; at < source.size();) {
    const Utf8Character character = read_character(source, at);
    if (character.code_point == kInvalidByte) {
      return Error{.kind = ErrorKind::kDamaged,
                   .what = "the template is no UTF-8",
                   .where = std::string(where),
                   .offset = at};
    }
    at += character.size_bytes;
  }
  return ok_status();
}

std::tm local_time() {
  const std::time_t now = std::time(nullptr);
  std::tm result{};
  localtime_r(&now, &result);
  return result;
}

std::vector<Segment> segments_of(const TracedText& text) {
  std::vector<Segment> segments;
  size_t begin = 0;
  for (const TracedText::Run& run : text.runs()) {
    segments.push_back(
        {text.bytes().substr(begin, run.end - begin), run.origin == Origin::kTemplate});
    begin = run.end;
  }
  return segments;
}

}  // namespace

std::string text_of(const std::vector<Segment>& segments) {
  std::string text;
  for (const Segment& segment : segments) text += segment.text;
  return text;
}

Result<Template> Template::parse(std::string_view source, std::string_view where,
                                 const TemplateLimits& limits) {
  KVASIR_RETURN_IF_ERROR(check_source(source, where, limits));
  auto parsed = std::make_shared<Parsed>();
  parsed->where = where;
  parsed->limits = limits;
  std::optional<Failure> failure;
  parsed->body = parse_template(source, limits, failure);
  if (failure) return error_of(*failure, where, 1);
  return Template(std::move(parsed));
}

Result<std::vector<Segment>> Template::render(const Dict& variables,
                                              const std::optional<std::tm>& now) const {
  Interpreter interpreter(parsed_->limits, variables, now ? *now : local_time());
  const TracedText text = interpreter.run(parsed_->body);
  const std::optional<Failure>& failure = interpreter.budget().failure();
  if (failure) return error_of(*failure, parsed_->where, interpreter.line());
  return segments_of(text);
}

}  // namespace kvasir::text::jinja
