#include "text/template_form.h"

#include <ctime>
#include <optional>
#include <string_view>
#include <utility>

#include "text/rendered_prompt.h"

namespace kvasir::text {
namespace {

// Stands behind the text that is continued: whatever the template adds comes after it. Templates
// that trim texts take the blank away, and would have trimmed the text itself.
constexpr std::string_view kMark = "\uE0C7continued here\uE0C7";
constexpr std::string_view kMarkWithBlank = "\uE0C7continued here\uE0C7 ";

// How much of the rendered text stands before the place that is continued.
Result<size_t> size_continued(std::string_view whole, size_t message) {
  const size_t at = whole.rfind(kMark);
  if (at == whole.npos) {
    return Error{.kind = ErrorKind::kUsage,
                 .what = "the chat template does not tell the message to be continued",
                 .field = message_field(message)};
  }
  if (whole.substr(at).starts_with(kMarkWithBlank)) return at;
  const size_t last = whole.substr(0, at).find_last_not_of(" \t\r\n\v\f");
  return last == whole.npos ? 0 : last + 1;
}

// As transformers' apply_chat_template hands them over. Templates look for what a schema of an
// object has. Null: there are none.
Result<Json> tools_for(const FormOptions& options) {
  KVASIR_ASSIGN_OR_RETURN(const std::vector<Tool> tools, told_tools(options));
  Json::Array told;
  for (size_t i = 0; i < tools.size(); ++i) {
    Json parameters = Json::Object{{"type", "object"}, {"properties", Json::Object()}};
    if (!tools[i].parameters.empty()) {
      KVASIR_ASSIGN_OR_RETURN(parameters, parsed_field(tools[i].parameters, parameters_field(i)));
    }
    Json function = Json::Object{{"name", tools[i].name},
                                 {"description", tools[i].description},
                                 {"parameters", std::move(parameters)}};
    told.emplace_back(Json::Object{{"type", "function"}, {"function", std::move(function)}});
  }
  return told.empty() ? Json() : Json(std::move(told));
}

}  // namespace

TemplateForm::TemplateForm(const ChatTemplate& chat_template, const Tokenizer& tokenizer)
    : template_(&chat_template), tokenizer_(&tokenizer), traits_(traits_of(chat_template)) {}

Result<FormedPrompt> TemplateForm::encode(std::span<const Message> messages,
                                          const FormOptions& options, const SaidIds& said) const {
  KVASIR_RETURN_IF_ERROR(check_conversation(messages, options));
  KVASIR_ASSIGN_OR_RETURN(const Json tools, tools_for(options));
  KVASIR_ASSIGN_OR_RETURN(const Segments segments, render(messages, tools, options));
  std::string whole = jinja::text_of(segments);
  if (options.continues_last) {
    KVASIR_ASSIGN_OR_RETURN(const size_t size, size_continued(whole, messages.size() - 1));
    whole.resize(size);
  }
  FormedPrompt prompt{.starts_in_reasoning = ends_with_opened_reasoning(whole)};
  const std::vector<TextPart> parts = front(parts_of(segments), whole.size());
  if (said.knows) {
    SaidTurns told = tell_said_turns(*tokenizer_, parts,
                                     turn_places(messages, tools, options, said, whole), said);
    prompt.tokens = std::move(told.tokens);
    prompt.said_turns = told.count;
  } else {
    prompt.tokens = tokenizer_->encode_parts(parts);
  }
  return prompt;
}

namespace {

constexpr int64_t kDayS = 24 * 60 * 60;

// Names a conversation up to one of its messages, and how it is rendered; templates may say the
// date.
class BeginningNames {
 public:
  BeginningNames(const Json& tools, const Json& variables) {
    chain_ = Sha256()
                 .add_text(tools.dump())
                 .add_text(variables.dump())
                 .add_value(static_cast<int64_t>(std::time(nullptr)) / kDayS)
                 .finish();
  }
  void add(const Message& message) {
    Sha256 hash;
    hash.add(chain_).add_value(message.role).add_value(std::ssize(message.parts));
    for (const std::string& part : message.parts) hash.add_text(part);
    hash.add_text(message.reasoning).add_text(message.call_id);
    for (const ToolCall& call : message.calls) {
      hash.add_text(call.id).add_text(call.name).add_text(call.arguments);
    }
    chain_ = hash.finish();
  }
  Digest256 name(bool is_asked) const { return Sha256().add(chain_).add_value(is_asked).finish(); }

 private:
  Digest256 chain_;
};

}  // namespace

size_t TemplateForm::size_of_beginning(const Digest256& name,
                                       const std::function<Result<Segments>()>& rendered_by_itself,
                                       std::string_view whole) const {
  std::optional<RenderedSizes::Rendered> known = sizes_->find(name);
  if (!known) {
    const Result<Segments> rendered = rendered_by_itself();
    if (!rendered.ok()) return std::string_view::npos;
    known = sizes_->add(name, jinja::text_of(*rendered));
  }
  return known->begins(whole) ? known->bytes : std::string_view::npos;
}

// A conversation up to a turn, rendered by itself, says where the turn begins and ends; of
// templates that tell earlier turns otherwise than the newest it says nothing.
std::vector<TurnPlace> TemplateForm::turn_places(std::span<const Message> messages,
                                                 const Json& tools, const FormOptions& options,
                                                 const SaidIds& said,
                                                 std::string_view whole) const {
  const Json named = variables(options);
  const auto size_of = [&](const BeginningNames& names, size_t count, bool is_asked) {
    const auto render = [&] {
      return template_->render(
          {.messages = Json(template_messages(messages.first(count), traits_, TurnOrder::kAsGiven)),
           .tools = tools,
           .options = named,
           .add_generation_prompt = is_asked});
    };
    return size_of_beginning(names.name(is_asked), render, whole);
  };
  std::vector<TurnPlace> places;
  BeginningNames names(tools, named);
  const size_t count = messages.size() - (options.continues_last ? 1 : 0);
  for (size_t i = 0; i < count; ++i) {
    const bool is_known = i > 0 && messages[i].role == Role::kAssistant && said.knows(messages[i]);
    const size_t begin = is_known ? size_of(names, i, true) : std::string_view::npos;
    names.add(messages[i]);
    if (begin == std::string_view::npos) continue;
    const size_t end = size_of(names, i + 1, false);
    if (end == std::string_view::npos || end <= begin) continue;
    places.push_back({.message = &messages[i], .begin = begin, .end = end});
  }
  return places;
}

Result<TemplateForm::Segments> TemplateForm::render(std::span<const Message> messages,
                                                    const Json& tools,
                                                    const FormOptions& options) const {
  Result<Segments> given = render_in(TurnOrder::kAsGiven, messages, tools, options);
  if (given.ok() || given.error().kind != ErrorKind::kUsage) return given;
  Result<Segments> alternating = render_in(TurnOrder::kAlternating, messages, tools, options);
  if (alternating.ok()) return alternating;
  Error error = std::move(given).error();
  error.field = refused_field(messages, tools, options);
  return error;
}

Result<TemplateForm::Segments> TemplateForm::render_in(TurnOrder order,
                                                       std::span<const Message> messages,
                                                       const Json& tools,
                                                       const FormOptions& options) const {
  const std::string_view end = options.continues_last ? kMarkWithBlank : "";
  return template_->render({.messages = Json(template_messages(messages, traits_, order, end)),
                            .tools = tools,
                            .options = variables(options),
                            .add_generation_prompt = !options.continues_last});
}

// What templates call these things. Nothing said: nothing is handed over, and the template does
// what its makers had in mind.
Json TemplateForm::variables(const FormOptions& options) const {
  Json::Object named;
  if (options.thinking != Thinking::kNotSaid || options.effort != Effort::kNotSaid) {
    const bool thinks = options.thinking == Thinking::kNotSaid ? options.effort != Effort::kNone
                                                               : options.thinking == Thinking::kOn;
    named = {{"enable_thinking", thinks}, {"thinking", thinks}};
  }
  const std::string& word = traits_.effort_words[static_cast<size_t>(options.effort)];
  if (!word.empty()) named.emplace_back("reasoning_effort", word);
  return named;
}

// The first message with which the template refuses the conversation. Halving finds it, as what
// comes later does not mend it.
std::string TemplateForm::refused_field(std::span<const Message> messages, const Json& tools,
                                        const FormOptions& options) const {
  FormOptions answering = options;
  answering.continues_last = false;
  size_t good = 0;
  size_t bad = messages.size();
  while (bad - good > 1) {
    const size_t middle = good + (bad - good) / 2;
    const auto begin = messages.first(middle);
    const bool is_good = render_in(TurnOrder::kAsGiven, begin, tools, answering).ok() ||
                         render_in(TurnOrder::kAlternating, begin, tools, answering).ok();
    (is_good ? good : bad) = middle;
  }
  return good == 0 ? "messages" : message_field(bad - 1);
}

}  // namespace kvasir::text
