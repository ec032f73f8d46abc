// The words of a model family stand in the rooms of families alone, so that every other room serves
// all of them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <string>
#include <string_view>

#include "source_tree.h"

namespace kvasir {
namespace {

constexpr std::string_view kWords[] = {"deepseek", "csa",   "hca",    "llama",
                                       "qwen",     "gemma", "mistral"};

// Rooms of families: their arithmetic, their chat forms and vocabularies, the planner's tables,
// what is said to people about them.
constexpr std::string_view kRooms[] = {
    "src/model/",           "src/text/", "src/plan/", "src/cli/", "src/eval/", "bench/",
    "include/kvasir/plan.h"};

// The page that states the arithmetic may be cited anywhere; a kind of rotary scaling and a program
// that writes files carry a family's name.
constexpr std::string_view kCitations[] = {"deepseek_v4.md", "llama3", "llama.cpp"};

std::string without_citations(std::string text) {
  for (const std::string_view citation : kCitations) {
    for (size_t at = text.find(citation); at != text.npos; at = text.find(citation, at)) {
      text.erase(at, citation.size());
    }
  }
  return text;
}

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

// "kCsaRatio" has the word csa, "scsau" has not.
bool has_word(std::string_view text, std::string_view word) {
  const std::string low = lower(std::string(text));
  for (size_t at = low.find(word); at != low.npos; at = low.find(word, at + 1)) {
    const bool begins = at == 0 || std::islower(static_cast<unsigned char>(text[at - 1])) == 0 ||
                        std::isupper(static_cast<unsigned char>(text[at])) != 0;
    const size_t end = at + word.size();
    const bool ends = end == low.size() || std::islower(static_cast<unsigned char>(text[end])) == 0;
    if (begins && ends) return true;
  }
  return false;
}

bool is_in_a_family_room(const SourceFile& file) {
  return file.is_test() || file.path.ends_with("test_support.h") ||
         file.path.starts_with("fuzz/") || std::ranges::any_of(kRooms, [&](std::string_view room) {
           return file.path.starts_with(room);
         });
}

std::string words_in(const SourceFile& file) {
  std::string found;
  for (const std::string_view word : kWords) {
    if (has_word(without_citations(file.text), word)) found += " " + std::string(word);
  }
  return found;
}

TEST(FamilyWords, StandInTheRoomsOfFamiliesAlone) {
  for (const SourceFile& file : project_files()) {
    if (!file.is_cpp() || is_in_a_family_room(file)) continue;
    EXPECT_EQ(words_in(file), "") << file.path;
  }
}

TEST(FamilyWords, AreFoundWherePeopleWriteThem) {
  for (const char* line :
       {"CSA rows", "kCsaRatio", "model::deepseek_v4", "DeepSeekV4", "// a Llama"}) {
    EXPECT_NE(words_in({"src/kv/a.h", line}), "") << line;
  }
  for (const char* line : {"docs/deepseek_v4.md section 3", "scsau", "hcat", "rescale"}) {
    EXPECT_EQ(words_in({"src/kv/a.h", line}), "") << line;
  }
}

}  // namespace
}  // namespace kvasir
