#include "text/template_traits.h"

#include <initializer_list>
#include <optional>
#include <string_view>
#include <utility>

#include "base/json.h"

namespace kvasir::text {
namespace {

// Words that no template has.
constexpr const char* kSystem = "uvqsys";
constexpr const char* kSecondSystem = "uvqsecond";
constexpr const char* kQuestion = "uvqask";
constexpr const char* kAnswer = "uvqsay";
constexpr const char* kNext = "uvqnext";
constexpr const char* kFunction = "uvqtool";
constexpr const char* kArgument = "uvqvalue";
constexpr const char* kCallId = "call00000";

Json message(const char* role, Json content) {
  return Json::Object{{"role", role}, {"content", std::move(content)}};
}

Json two_parts(const char* first, const char* second) {
  const auto part = [](const char* text) { return Json::Object{{"type", "text"}, {"text", text}}; };
  return Json::Array{part(first), part(second)};
}

class Prober {
 public:
  explicit Prober(const ChatTemplate& chat_template) : template_(&chat_template) {}

  // Nothing: the template refuses it.
  std::optional<std::string> text_of(Json::Array messages, Json options = {}) const {
    const auto segments = template_->render({.messages = Json(std::move(messages)),
                                             .options = std::move(options),
                                             .add_generation_prompt = true});
    if (!segments.ok()) return std::nullopt;
    return jinja::text_of(*segments);
  }

  // Whether the words stand in the text in this order.
  bool tells(const Json::Array& messages, std::initializer_list<const char*> words) const {
    const std::optional<std::string> text = text_of(messages);
    if (!text) return false;
    size_t at = 0;
    for (const char* word : words) {
      at = text->find(word, at);
      if (at == text->npos) return false;
    }
    return true;
  }

  bool tells_role(const char* role, Json::Array messages, size_t index,
                  std::initializer_list<const char*> words) const;
  bool keeps_late_system() const;
  bool has_parts(const Json::Array& before, const char* role) const;

 private:
  const ChatTemplate* template_;
};

// Whether the message at `index` is told in this role, and not as a question or an answer, which is
// what some templates make of a role that they do not know.
bool Prober::tells_role(const char* role, Json::Array messages, size_t index,
                        std::initializer_list<const char*> words) const {
  const Json content = *messages[index].find("content");
  messages[index] = message(role, content);
  if (!tells(messages, words)) return false;
  const std::optional<std::string> told = text_of(messages);
  for (const char* other : {"user", "assistant"}) {
    messages[index] = message(other, content);
    if (text_of(messages) == told) return false;
  }
  return true;
}

bool Prober::keeps_late_system() const {
  Json::Array messages{message("user", kQuestion), message("assistant", kAnswer),
                       message("system", kSystem), message("user", kNext)};
  if (!tells_role("system", messages, 2, {kQuestion, kAnswer, kSystem, kNext})) return false;
  const std::string with = text_of(messages).value();
  messages.erase(messages.begin() + 2);
  const std::string without = text_of(messages).value_or("");
  const size_t front = with.find(kAnswer);
  return with.compare(0, front, without, 0, front) == 0 &&
         with.find(kSystem) == with.rfind(kSystem);
}

// A list that is printed as a list shows the names of its members.
bool Prober::has_parts(const Json::Array& before, const char* role) const {
  Json::Array messages = before;
  messages.push_back(message(role, two_parts(kAnswer, kSystem)));
  messages.push_back(message("user", kNext));
  const std::optional<std::string> text = text_of(std::move(messages));
  if (!text) return false;
  const size_t first = text->find(kAnswer);
  const size_t second = first == text->npos ? first : text->find(kSystem, first);
  return second != text->npos && text->substr(first, second - first).find("type") == text->npos;
}

void find_contents(const Prober& prober, TemplateTraits& traits) {
  const Json::Array question{message("user", kQuestion)};
  traits.user.text = prober.tells(question, {kQuestion});
  traits.user.parts = prober.has_parts({}, "user") || !traits.user.text;
  traits.system.parts = prober.has_parts({}, "system");
  traits.assistant.parts = prober.has_parts(question, "assistant");
  // A template that wants lists of one wants them of all.
  traits.system.text = traits.user.text || !traits.system.parts;
  traits.assistant.text = traits.user.text || !traits.assistant.parts;
}

Json message_with_call(bool has_content, bool arguments_are_text) {
  Json arguments = arguments_are_text ? Json(std::string("{\"a\": \"") + kArgument + "\"}")
                                      : Json(Json::Object{{"a", kArgument}});
  const Json function = Json::Object{{"name", kFunction}, {"arguments", std::move(arguments)}};
  const Json call = Json::Object{{"id", kCallId}, {"type", "function"}, {"function", function}};
  Json::Object answer{{"role", "assistant"}};
  if (has_content) answer.emplace_back("content", "");
  answer.emplace_back("tool_calls", Json::Array{call});
  return answer;
}

void find_call_form(const Prober& prober, TemplateTraits& traits) {
  const Json question = message("user", kQuestion);
  const Json result = Json::Object{
      {"role", "tool"}, {"content", kAnswer}, {"tool_call_id", kCallId}, {"name", kFunction}};
  traits.has_results = prober.tells({question, message_with_call(true, false), result}, {kAnswer});
  for (const bool is_text : {false, true}) {
    for (const bool has_content : {true, false}) {
      const Json call = message_with_call(has_content, is_text);
      if (!prober.tells({question, call}, {kFunction, kArgument})) continue;
      traits.calls_stand_without_content = !has_content;
      traits.arguments_are_text = is_text;
      traits.has_results = prober.tells({question, call, result}, {kAnswer});
      return;
    }
  }
}

bool refuses_text_beside_reasoning(const Prober& prober, const TemplateTraits& traits) {
  Json::Object call = *message_with_call(false, traits.arguments_are_text).as_object();
  call.emplace_back("content", kAnswer);
  const Json question = message("user", kQuestion);
  if (!prober.text_of({question, Json(call)})) return false;
  call.emplace_back("reasoning_content", kNext);
  return !prober.text_of({question, Json(std::move(call))});
}

constexpr const char* kEffortWords[] = {"none", "minimal", "low", "medium", "high", "xhigh", "max"};
constexpr int kEffortCount = static_cast<int>(std::size(kEffortWords));

class EffortFinder {
 public:
  EffortFinder(const Prober& prober, const ChatTemplate& chat_template)
      : prober_(&prober), template_(&chat_template) {
    for (int i = 0; i < kEffortCount; ++i) known_[static_cast<size_t>(i)] = knows(kEffortWords[i]);
  }

  // The nearest word that the template knows; of two the greater effort.
  std::string word(int wanted) const {
    for (int distance = 0; distance < kEffortCount; ++distance) {
      if (is_known(wanted + distance)) return kEffortWords[wanted + distance];
      if (is_known(wanted - distance)) return kEffortWords[wanted - distance];
    }
    return "";
  }

  // Where thinking can be turned off, that says it.
  std::string word_for_none() const {
    for (const char* word : {"none", "no_think"}) {
      if (template_->names(word)) return word;
    }
    const bool can_be_off = text_with({}) != text_with(Json::Object{{"enable_thinking", false}});
    return can_be_off || text_with_word("low") == text_with_word("high") ? "" : "low";
  }

 private:
  // Everybody knows three degrees; the others are for templates that name them.
  bool knows(std::string_view word) const {
    const bool is_usual = word == "low" || word == "medium" || word == "high";
    return (is_usual || template_->names(word)) && text_with_word(std::string(word)).has_value();
  }
  bool is_known(int index) const {
    return index > 0 && index < kEffortCount && known_[static_cast<size_t>(index)];
  }
  std::optional<std::string> text_with_word(std::string word) const {
    return text_with(Json::Object{{"reasoning_effort", std::move(word)}});
  }
  std::optional<std::string> text_with(Json options) const {
    return prober_->text_of({message("user", kQuestion)}, std::move(options));
  }

  const Prober* prober_;
  const ChatTemplate* template_;
  std::array<bool, kEffortCount> known_{};
};

void find_effort_words(const Prober& prober, const ChatTemplate& chat_template,
                       TemplateTraits& traits) {
  const EffortFinder finder(prober, chat_template);
  const auto word_of = [&](Effort effort) -> std::string& {
    return traits.effort_words[static_cast<size_t>(effort)];
  };
  word_of(Effort::kNone) = finder.word_for_none();
  constexpr Effort kAbove[] = {Effort::kMinimal, Effort::kLow,      Effort::kMedium,
                               Effort::kHigh,    Effort::kVeryHigh, Effort::kMax};
  for (int i = 1; i < kEffortCount; ++i) word_of(kAbove[i - 1]) = finder.word(i);
}

}  // namespace

TemplateTraits traits_of(const ChatTemplate& chat_template) {
  const Prober prober(chat_template);
  const Json question = message("user", kQuestion);
  const Json system = message("system", kSystem);
  TemplateTraits traits;
  traits.has_system = prober.tells({system, question}, {kSystem, kQuestion});
  traits.has_two_systems =
      prober.tells_role("system", {system, message("system", kSecondSystem), question}, 1,
                        {kSystem, kSecondSystem, kQuestion});
  traits.has_late_system = prober.keeps_late_system();
  traits.has_developer =
      chat_template.names("developer") &&
      prober.tells_role("developer", {system, question}, 0, {kSystem, kQuestion});
  traits.has_system_and_developer = prober.tells(
      {system, message("developer", kSecondSystem), question}, {kSystem, kSecondSystem, kQuestion});
  traits.has_two_users = prober.tells({question, message("user", kNext)}, {kQuestion, kNext});
  traits.has_empty_answers = prober.tells(
      {question, message("assistant", ""), message("user", kNext)}, {kQuestion, kNext});
  find_contents(prober, traits);
  find_call_form(prober, traits);
  traits.calls_have_text_alone = refuses_text_beside_reasoning(prober, traits);
  find_effort_words(prober, chat_template, traits);
  return traits;
}

}  // namespace kvasir::text
