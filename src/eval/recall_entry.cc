#include "eval/recall_entry.h"

#include <optional>
#include <string_view>
#include <utility>

namespace kvasir::eval {
namespace {

std::optional<QuestionKind> kind_of(std::string_view name) {
  for (const QuestionKind kind :
       {QuestionKind::kStated, QuestionKind::kUpdated, QuestionKind::kAbsent}) {
    if (name == name_of(kind)) return kind;
  }
  return std::nullopt;
}

// Each returns null when the member is missing or of another kind.
const std::string* text(const Json& object, std::string_view name) {
  const Json* member = object.find(name);
  return member == nullptr ? nullptr : member->as_string();
}

const int64_t* integer(const Json& object, std::string_view name) {
  const Json* member = object.find(name);
  return member == nullptr ? nullptr : member->as_integer();
}

bool is_letter_or_digit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool goes_on_with(std::string_view text, std::string_view value) {
  while (!text.empty() && !is_letter_or_digit(text[0])) text.remove_prefix(1);
  return text.starts_with(value) &&
         (text.size() == value.size() || !is_letter_or_digit(text[value.size()]));
}

std::optional<AnsweredQuestion> parse_question(const Json& json) {
  const std::string* kind = text(json, "kind");
  const std::string* question = text(json, "question");
  const std::string* expected = text(json, "expected");
  const std::string* answer = text(json, "answer");
  const int64_t* distance = integer(json, "distance_tokens");
  const Json* depth = json.find("depth");
  const std::string* opening = text(json, "opening");
  const Json* kl = json.find("kl");
  if (kind == nullptr || !kind_of(*kind) || question == nullptr || expected == nullptr ||
      answer == nullptr || distance == nullptr || depth == nullptr ||
      depth->as_double() == nullptr || !(*depth->as_double() >= 0 && *depth->as_double() <= 1)) {
    return std::nullopt;
  }
  if (kl != nullptr && (kl->as_double() == nullptr || !(*kl->as_double() >= 0))) {
    return std::nullopt;
  }
  return AnsweredQuestion{.question = {.text = *question,
                                       .opening = opening == nullptr ? "" : *opening,
                                       .answer = *expected,
                                       .kind = *kind_of(*kind),
                                       .depth = *depth->as_double(),
                                       .distance_tokens = *distance},
                          .answer = *answer,
                          .kl = kl == nullptr ? std::nullopt : std::optional(*kl->as_double())};
}

}  // namespace

bool AnsweredQuestion::is_right() const {
  return question.opening.empty() ? answer == question.answer
                                  : goes_on_with(answer, question.answer);
}

Json to_json(const RecallEntry& entry) {
  Json::Array questions;
  for (const AnsweredQuestion& answered : entry.questions) {
    const RecallQuestion& question = answered.question;
    Json::Object members{{"kind", name_of(question.kind)},
                         {"depth", question.depth},
                         {"distance_tokens", question.distance_tokens},
                         {"question", question.text},
                         {"expected", question.answer},
                         {"answer", answered.answer}};
    if (!question.opening.empty()) members.emplace_back("opening", question.opening);
    if (answered.kl) members.emplace_back("kl", *answered.kl);
    questions.push_back(std::move(members));
  }
  return Json::Object{{"questions", std::move(questions)}, {"kv_bytes", entry.kv_bytes}};
}

Result<RecallEntry> parse_recall_entry(const Json& json, const std::string& where) {
  const Error damaged{.kind = ErrorKind::kDamaged,
                      .what = "the log has an entry that is not of this program's making",
                      .where = where};
  const Json* questions = json.find("questions");
  const int64_t* kv_bytes = integer(json, "kv_bytes");
  if (questions == nullptr || questions->as_array() == nullptr || kv_bytes == nullptr) {
    return damaged;
  }
  RecallEntry entry{.kv_bytes = *kv_bytes};
  for (const Json& question : *questions->as_array()) {
    auto parsed = parse_question(question);
    if (!parsed) return damaged;
    entry.questions.push_back(std::move(*parsed));
  }
  return entry;
}

}  // namespace kvasir::eval
