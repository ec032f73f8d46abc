#include "eval/recall_document.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>
#include <tuple>
#include <utility>

#include "base/random.h"

namespace kvasir::eval {
namespace {

constexpr double kUpdateShare = 0.2;
constexpr int64_t kAbsentPerFact = 4;  // one question in so many
constexpr int64_t kSentenceBytesMax = 4000;
constexpr size_t kAbbreviationBytesMax = 3;

bool is_capital(char c) { return c >= 'A' && c <= 'Z'; }
bool is_letter(char c) { return is_capital(c) || (c >= 'a' && c <= 'z'); }

struct Key {
  std::string person;
  const FactKind* kind = nullptr;
  std::string object;
  auto order() const { return std::tie(person, object); }
  bool operator<(const Key& other) const { return order() < other.order(); }
};

struct Fact {
  Key key;
  std::string value;
  QuestionKind kind = QuestionKind::kStated;
};

// A sentence that states a fact, and where it goes.
struct Statement {
  std::string text;
  int64_t fact = 0;
  double place = 0;  // in [0, 1) of the part that holds facts
  bool counts = true;
};

// So few names that many facts differ in only one of first name, last name and object.
std::vector<std::string> draw_names(const std::vector<std::string>& all, int64_t fact_count,
                                    Random& random) {
  std::vector<std::string> names = all;
  for (size_t i = names.size(); i > 1; --i) {
    std::swap(names[i - 1], names[static_cast<size_t>(random.below(static_cast<int64_t>(i)))]);
  }
  const auto wanted = static_cast<size_t>(3 + std::sqrt(static_cast<double>(fact_count)) / 2);
  names.resize(std::min(names.size(), wanted));
  return names;
}

class Facts {
 public:
  Facts(const RecallTask& task, const RecallDocumentOptions& options, Random& random)
      : task_(task),
        random_(random),
        first_names_(draw_names(task.first_names, options.fact_count, random)),
        last_names_(draw_names(task.last_names, options.fact_count, random)) {}

  // How many different facts there can be.
  int64_t key_count() const {
    int64_t objects = 0;
    for (const FactKind& kind : task_.kinds) objects += std::ssize(kind.objects);
    return objects * std::ssize(first_names_) * std::ssize(last_names_);
  }

  // One that was not drawn before. REQUIRES: fewer than key_count() were drawn.
  Key draw_key() {
    while (true) {
      Key key;
      // One draw a statement: within one, their order would be the compiler's choice.
      const std::string& last = random_.pick(last_names_);
      key.person = random_.pick(first_names_) + " " + last;
      key.kind = &random_.pick(task_.kinds);
      key.object = random_.pick(key.kind->objects);
      if (used_.insert(key).second) return key;
    }
  }

  std::string say(const std::vector<std::string>& phrases, const Key& key, std::string_view value) {
    return fill_slots(random_.pick(phrases), {key.person, key.object, value});
  }

  // A question, and how its answer begins.
  RecallQuestion ask(const Key& key) {
    return {.text = say(key.kind->questions, key, ""),
            .opening = fill_slots(key.kind->opening, {key.person, key.object, ""})};
  }

  std::string other_value(const FactKind& kind, const std::string& value) {
    while (true) {
      std::string other = draw_value(kind, random_);
      if (other != value) return other;
    }
  }

 private:
  const RecallTask& task_;
  Random& random_;
  std::vector<std::string> first_names_;
  std::vector<std::string> last_names_;
  std::set<Key> used_;
};

struct Draft {
  std::vector<Fact> facts;
  std::vector<Statement> statements;  // by place
};

Draft draft_facts(Facts& facts, int64_t count, Random& random) {
  Draft draft;
  for (int64_t i = 0; i < count; ++i) {
    Fact fact{.key = facts.draw_key()};
    const FactKind& kind = *fact.key.kind;
    fact.value = draw_value(kind, random);
    // Spread evenly, so that every depth is asked about.
    double place = (static_cast<double>(i) + random.unit()) / static_cast<double>(count);
    if (random.unit() < kUpdateShare) {
      fact.kind = QuestionKind::kUpdated;
      draft.statements.push_back({.text = facts.say(kind.facts, fact.key, fact.value),
                                  .fact = i,
                                  .place = place * random.unit(),
                                  .counts = false});
      fact.value = facts.other_value(kind, fact.value);
      draft.statements.push_back(
          {.text = facts.say(kind.updates, fact.key, fact.value), .fact = i, .place = place});
    } else {
      draft.statements.push_back(
          {.text = facts.say(kind.facts, fact.key, fact.value), .fact = i, .place = place});
    }
    draft.facts.push_back(std::move(fact));
  }
  std::stable_sort(draft.statements.begin(), draft.statements.end(),
                   [](const Statement& a, const Statement& b) { return a.place < b.place; });
  return draft;
}

// Where each fact's newest statement ends, in tokens.
struct Written {
  std::string text;
  int64_t token_count = 0;
  std::vector<int64_t> fact_ends;
};

class Writer {
 public:
  Writer(const Prose& prose, const CountTokens& count_tokens, int64_t first_sentence)
      : prose_(prose), count_tokens_(count_tokens), sentence_(first_sentence) {}

  void add(const std::string& text, int64_t token_count) {
    if (!text_.empty()) text_ += ' ';
    text_ += text;
    token_count_ += token_count;
  }

  // Sentences until token_count is reached, but none that would pass token_count_max.
  void add_prose(int64_t token_count, int64_t token_count_max) {
    while (token_count_ < token_count) {
      const std::string& text = prose_.sentence(sentence_);
      const int64_t more = count_tokens_(" " + text);
      if (token_count_ + more > token_count_max) return;
      ++sentence_;
      add(text, more);
    }
  }

  int64_t token_count() const { return token_count_; }
  std::string take_text() { return std::move(text_); }

 private:
  const Prose& prose_;
  const CountTokens& count_tokens_;
  int64_t sentence_;
  std::string text_;
  int64_t token_count_ = 0;
};

Written write_text(const Draft& draft, const Prose& prose, const RecallDocumentOptions& options,
                   const std::vector<int64_t>& statement_tokens, const CountTokens& count_tokens,
                   Random& random) {
  Written written;
  written.fact_ends.resize(draft.facts.size());
  Writer writer(prose, count_tokens, random.below(prose.sentence_count()));
  const int64_t facts_end = options.length_tokens - options.tail_tokens;
  int64_t left = std::accumulate(statement_tokens.begin(), statement_tokens.end(), int64_t{0});
  for (size_t i = 0; i < draft.statements.size(); ++i) {
    const Statement& statement = draft.statements[i];
    // What is still to be stated must fit before the tail.
    writer.add_prose(static_cast<int64_t>(statement.place * static_cast<double>(facts_end)),
                     facts_end - left);
    writer.add(statement.text, statement_tokens[i]);
    left -= statement_tokens[i];
    if (statement.counts) {
      written.fact_ends[static_cast<size_t>(statement.fact)] = writer.token_count();
    }
  }
  writer.add_prose(options.length_tokens, std::numeric_limits<int64_t>::max());
  written.token_count = writer.token_count();
  written.text = writer.take_text();
  return written;
}

}  // namespace

const char* name_of(QuestionKind kind) {
  switch (kind) {
    case QuestionKind::kStated:
      return "stated";
    case QuestionKind::kUpdated:
      return "updated";
    case QuestionKind::kAbsent:
      break;
  }
  return "absent";
}

size_t sentence_end(std::string_view text, size_t from) {
  for (size_t stop = text.find(". ", from); stop != std::string_view::npos;
       stop = text.find(". ", stop + 1)) {
    size_t word = stop;
    while (word > 0 && is_letter(text[word - 1])) --word;
    const bool is_abbreviation =
        word < stop && stop - word <= kAbbreviationBytesMax && is_capital(text[word]);
    if (!is_abbreviation) return stop + 1;
  }
  return text.size();
}

Result<Prose> Prose::create(std::string_view text, std::string_view where) {
  Prose prose;
  while (!text.empty()) {
    // A paragraph's end inside a sentence stays.
    const size_t end = sentence_end(text, 0);
    if (static_cast<int64_t>(end) <= kSentenceBytesMax) {
      std::string sentence(text.substr(0, end));
      while (!sentence.empty() && (sentence.back() == '\n' || sentence.back() == ' ')) {
        sentence.pop_back();
      }
      if (sentence.ends_with('.')) prose.sentences_.push_back(std::move(sentence));
    }
    text.remove_prefix(std::min(text.size(), end + 1));
  }
  if (prose.sentences_.size() < 2) {
    return Error{.kind = ErrorKind::kUsage,
                 .what = "too little prose",
                 .where = std::string(where),
                 .expected = "two sentences or more"};
  }
  return prose;
}

Result<RecallDocument> make_recall_document(const RecallTask& task, const Prose& prose,
                                            const RecallDocumentOptions& options,
                                            const CountTokens& count_tokens) {
  Random random(options.seed);
  Facts facts(task, options, random);
  const int64_t absent_count = task.absent_answer.empty() ? 0 : options.fact_count / kAbsentPerFact;
  // Half of all keys are left, so that drawing another one is quick.
  const int64_t needed = 2 * (options.fact_count + absent_count);
  if (options.fact_count < 1 || needed > facts.key_count()) {
    return Error{.kind = ErrorKind::kUsage,
                 .what = "the task cannot tell so many facts apart",
                 .where = std::to_string(options.fact_count) + " facts",
                 .expected = "at least " + std::to_string(needed) + " persons times objects",
                 .found = std::to_string(facts.key_count())};
  }
  const Draft draft = draft_facts(facts, options.fact_count, random);
  std::vector<int64_t> statement_tokens;
  int64_t token_count = options.tail_tokens;
  for (const Statement& statement : draft.statements) {
    statement_tokens.push_back(count_tokens(" " + statement.text));
    token_count += statement_tokens.back();
  }
  if (token_count > options.length_tokens) {
    return Error{.kind = ErrorKind::kUsage,
                 .what = "the document is too short for its facts",
                 .expected = "at least " + std::to_string(token_count) + " tokens",
                 .found = std::to_string(options.length_tokens),
                 .remedy = "fewer facts, longer documents or a shorter tail"};
  }
  Written written = write_text(draft, prose, options, statement_tokens, count_tokens, random);

  const auto facts_end = static_cast<double>(options.length_tokens - options.tail_tokens);
  RecallDocument document{.text = std::move(written.text), .token_count = written.token_count};
  for (size_t i = 0; i < draft.facts.size(); ++i) {
    const Fact& fact = draft.facts[i];
    const int64_t end = written.fact_ends[i];
    RecallQuestion& question = document.questions.emplace_back(facts.ask(fact.key));
    question.answer = fill_slots(task.answer, {.value = fact.value});
    question.kind = fact.kind;
    question.depth = static_cast<double>(end) / facts_end;
    question.distance_tokens = written.token_count - end;
  }
  for (int64_t i = 0; i < absent_count; ++i) {
    RecallQuestion& question = document.questions.emplace_back(facts.ask(facts.draw_key()));
    question.answer = task.absent_answer;
    question.kind = QuestionKind::kAbsent;
  }
  return document;
}

}  // namespace kvasir::eval
