#include "eval/recall_task.h"

#include <initializer_list>
#include <set>
#include <tuple>
#include <utility>

#include "base/json.h"
#include "base/text_file.h"

namespace kvasir::eval {
namespace {

class Reader {
 public:
  Reader(const Json& object, std::string where) : object_(object), where_(std::move(where)) {}

  Result<std::string> text(std::string_view name) const {
    const Json* member = object_.find(name);
    if (member != nullptr && member->as_string() != nullptr) return *member->as_string();
    return wrong(name, "a string");
  }

  Result<std::vector<std::string>> texts(std::string_view name) const {
    const Json* member = object_.find(name);
    if (member == nullptr || member->as_array() == nullptr || member->as_array()->empty()) {
      return wrong(name, "a list of strings");
    }
    std::vector<std::string> list;
    for (const Json& item : *member->as_array()) {
      if (item.as_string() == nullptr || item.as_string()->empty()) {
        return wrong(name, "a list of strings, none of them empty");
      }
      list.push_back(*item.as_string());
    }
    if (std::set<std::string>(list.begin(), list.end()).size() != list.size()) {
      return wrong(name, "no string twice");
    }
    return list;
  }

  // Strings that have every slot.
  Result<std::vector<std::string>> phrases(std::string_view name,
                                           std::initializer_list<const char*> slots) const {
    KVASIR_ASSIGN_OR_RETURN(std::vector<std::string> list, texts(name));
    for (const std::string& phrase : list) {
      for (const char* slot : slots) {
        if (phrase.find(slot) == std::string::npos) {
          return wrong(name, std::string(slot) + " in every phrase");
        }
      }
    }
    return list;
  }

  // Single words, so that different pairs are different persons.
  Result<std::vector<std::string>> names(std::string_view name) const {
    KVASIR_ASSIGN_OR_RETURN(std::vector<std::string> list, texts(name));
    for (const std::string& item : list) {
      if (item.find(' ') != std::string::npos) return wrong(name, "names without spaces");
    }
    return list;
  }

  // Two whole numbers, the first not larger than the second.
  Result<std::pair<int64_t, int64_t>> range(std::string_view name) const {
    const Json* member = object_.find(name);
    const Json::Array* ends = member == nullptr ? nullptr : member->as_array();
    if (ends == nullptr || ends->size() != 2) return wrong(name, "two whole numbers");
    const int64_t* low = (*ends)[0].as_integer();
    const int64_t* high = (*ends)[1].as_integer();
    if (low == nullptr || high == nullptr || *low < 0 || *low > *high || *high > 1'000'000'000) {
      return wrong(name, "two whole numbers, 0 to 1000000000, in order");
    }
    return std::pair(*low, *high);
  }

  bool has(std::string_view name) const { return object_.find(name) != nullptr; }

  Error wrong(std::string_view name, std::string expected) const {
    return Error{.kind = ErrorKind::kDamaged,
                 .what = "the recall task is malformed",
                 .where = where_ + ", " + std::string(name),
                 .expected = std::move(expected)};
  }

 private:
  const Json& object_;
  std::string where_;
};

Result<FactKind> read_kind(const Json& json, const std::string& where) {
  const Reader reader(json, where);
  FactKind kind;
  KVASIR_ASSIGN_OR_RETURN(kind.name, reader.text("name"));
  KVASIR_ASSIGN_OR_RETURN(kind.objects, reader.texts("objects"));
  if (reader.has("values")) {
    KVASIR_ASSIGN_OR_RETURN(kind.values, reader.texts("values"));
    if (kind.values.size() < 2) return reader.wrong("values", "two or more, for updates");
  } else {
    KVASIR_ASSIGN_OR_RETURN(const auto range, reader.range("numbers"));
    std::tie(kind.number_min, kind.number_max) = range;
    if (kind.number_min == kind.number_max) {
      return reader.wrong("numbers", "two or more, for updates");
    }
    if (reader.has("letters")) {
      KVASIR_ASSIGN_OR_RETURN(kind.letters, reader.text("letters"));
      for (const char letter : kind.letters) {
        if (letter < 'A' || letter > 'Z') return reader.wrong("letters", "letters from A to Z");
      }
    }
  }
  const auto statement = {"{person}", "{object}", "{value}"};
  KVASIR_ASSIGN_OR_RETURN(kind.facts, reader.phrases("facts", statement));
  KVASIR_ASSIGN_OR_RETURN(kind.updates, reader.phrases("updates", statement));
  KVASIR_ASSIGN_OR_RETURN(kind.questions, reader.phrases("questions", {"{person}", "{object}"}));
  if (reader.has("opening")) {
    KVASIR_ASSIGN_OR_RETURN(kind.opening, reader.text("opening"));
    if (kind.opening.find("{value}") != std::string::npos) {
      return reader.wrong("opening", "words before the value, without its slot");
    }
  }
  return kind;
}

}  // namespace

Result<RecallTask> parse_recall_task(std::string_view text, const std::string& where) {
  KVASIR_ASSIGN_OR_RETURN(const Json json, Json::parse(text, where));
  const Reader reader(json, where);
  RecallTask task;
  KVASIR_ASSIGN_OR_RETURN(task.first_names, reader.names("first_names"));
  KVASIR_ASSIGN_OR_RETURN(task.last_names, reader.names("last_names"));
  KVASIR_ASSIGN_OR_RETURN(task.answer, reader.text("answer"));
  if (task.answer.find("{value}") == std::string::npos) {
    return reader.wrong("answer", "the slot {value}");
  }
  if (reader.has("absent_answer")) {
    KVASIR_ASSIGN_OR_RETURN(task.absent_answer, reader.text("absent_answer"));
  }
  const Json* kinds = json.find("kinds");
  if (kinds == nullptr || kinds->as_array() == nullptr || kinds->as_array()->empty()) {
    return reader.wrong("kinds", "a list of kinds of facts");
  }
  std::set<std::string> objects;
  for (const Json& kind : *kinds->as_array()) {
    KVASIR_ASSIGN_OR_RETURN(FactKind read, read_kind(kind, where));
    for (const std::string& object : read.objects) {
      // A question must tell which fact it asks about.
      if (!objects.insert(object).second) return reader.wrong("objects", "none of two kinds");
    }
    task.kinds.push_back(std::move(read));
  }
  return task;
}

Result<RecallTask> load_recall_task(const std::string& path) {
  KVASIR_ASSIGN_OR_RETURN(const std::string text, read_text_file(path));
  return parse_recall_task(text, path);
}

std::string fill_slots(std::string_view phrase, const Slots& slots) {
  std::string text;
  while (!phrase.empty()) {
    const size_t open = phrase.find('{');
    text += phrase.substr(0, open);
    if (open == std::string_view::npos) break;
    phrase.remove_prefix(open);
    const auto take = [&](std::string_view slot, std::string_view value) {
      if (!phrase.starts_with(slot)) return false;
      text += value;
      phrase.remove_prefix(slot.size());
      return true;
    };
    if (!take("{person}", slots.person) && !take("{object}", slots.object) &&
        !take("{value}", slots.value)) {
      text += '{';
      phrase.remove_prefix(1);
    }
  }
  return text;
}

std::string draw_value(const FactKind& kind, Random& random) {
  if (!kind.values.empty()) {
    return random.pick(kind.values);
  }
  std::string value;
  if (!kind.letters.empty()) {
    value += random.pick(kind.letters);
  }
  return value +
         std::to_string(kind.number_min + random.below(kind.number_max - kind.number_min + 1));
}

}  // namespace kvasir::eval
