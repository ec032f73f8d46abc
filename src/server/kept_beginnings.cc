#include "server/kept_beginnings.h"

#include <algorithm>
#include <map>
#include <span>
#include <utility>

#include "base/digest.h"
#include "server/prompt_place.h"

namespace kvasir::server {
namespace {

// As many as Anthropic's and OpenAI's interfaces take; of more the last.
constexpr size_t kMarksMax = 4;

int64_t tokens_of(const Served& served, const Call& call, const PreparedPrompt& prompt,
                  std::span<const Message> messages, const SaidIds& said) {
  FormOptions form = told_form(served, call);
  form.continues_last = false;
  const Result<FormedPrompt> formed = served.form->encode(messages, form, said);
  return formed.ok() ? same_beginning(formed->tokens, prompt.tokens) : 0;
}

// Two callers whose caches are kept apart may call different projects alike.
std::string project_of(const std::string& name, const std::string& salt) {
  constexpr size_t kDigits = 8;
  if (salt.empty()) return name;
  const Digest256 digest = Sha256().add_text("kvasir project of").add_text(salt).finish();
  return name + " of " + to_hex(digest).substr(0, kDigits);
}

}  // namespace

int64_t front_tokens(const Served& served, const Call& call, const PreparedPrompt& prompt) {
  const auto first_turn = std::ranges::find_if_not(call.messages, is_system);
  std::vector<Message> front(call.messages.begin(), first_turn);
  // Forms want a turn, and this one begins as no other.
  front.push_back({.role = Role::kUser, .parts = {"\x01"}});
  return tokens_of(served, call, prompt, front, {});
}

std::vector<Keep> kept_beginnings(const Served& served, const Call& call,
                                  const PreparedPrompt& prompt, const std::string& salt) {
  std::vector<Keep> keeps;
  const bool has_project = !call.project.empty();
  if (call.messages.empty() || (call.marks.empty() && !has_project)) return keeps;
  std::map<int64_t, int64_t> seconds;  // by the count of messages before the mark
  for (const CacheMark& mark : call.marks) {
    int64_t& longest = seconds[mark.message_count];
    longest = std::max(longest, mark.seconds);
  }
  while (seconds.size() > kMarksMax) seconds.erase(seconds.begin());
  const SaidIds said = found_once(said_ids(served, &salt, nullptr));
  const std::span<const Message> messages = call.messages;
  for (const auto& [count, time] : seconds) {
    const bool is_whole = count >= std::ssize(messages);
    const int64_t tokens =
        is_whole ? std::ssize(prompt.tokens)
        : count == 0
            ? front_tokens(served, call, prompt)
            : tokens_of(served, call, prompt, messages.first(static_cast<size_t>(count)), said);
    keeps.push_back({.token_count = tokens, .seconds = time});
  }
  if (has_project) {
    keeps.push_back({.token_count = front_tokens(served, call, prompt),
                     .project = project_of(call.project, salt)});
  }
  return keeps;
}

}  // namespace kvasir::server
