// A RecallTask holds the words and phrasings from which recall documents are made. Two come with
// the program: data/recall_task.json, from which the bundled model's training is made too, and
// data/recall_plain.json in everyday words for other models. Plain values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "kvasir/result.h"

namespace kvasir::eval {

// A FactKind describes facts that say one thing (the value) about one object of one person: "The
// dog of Jane Fairfax is called Pepper." Phrases have the slots {person}, {object} and {value};
// questions have no {value}.
struct FactKind {
  std::string name;
  std::vector<std::string> objects;
  std::vector<std::string> values;  // empty: a letter of `letters`, if any, and a number
  std::string letters;
  int64_t number_min = 0;
  int64_t number_max = 0;
  std::vector<std::string> facts;
  std::vector<std::string> updates;
  std::vector<std::string> questions;
  // How an answer begins, up to the value, with the slots of a question. Empty: the model finds its
  // own beginning.
  std::string opening;
};

struct RecallTask {
  std::vector<std::string> first_names;
  std::vector<std::string> last_names;
  std::string answer;  // with the slot {value}
  std::string
      absent_answer;  // to a question about what the document does not say; empty: none asked
  std::vector<FactKind> kinds;
};

struct Slots {
  std::string_view person;
  std::string_view object;
  std::string_view value;
};

// Errors: malformed, a list that is missing, empty or repeats itself, an object of two kinds.
// `where` names the text in messages.
Result<RecallTask> parse_recall_task(std::string_view text, const std::string& where);
// The same from a file.
Result<RecallTask> load_recall_task(const std::string& path);

std::string fill_slots(std::string_view phrase, const Slots& slots);

std::string draw_value(const FactKind& kind, Random& random);

}  // namespace kvasir::eval
