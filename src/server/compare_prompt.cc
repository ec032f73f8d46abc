#include "server/compare_prompt.h"

#include <algorithm>
#include <span>
#include <utility>

#include "base/digest.h"

namespace kvasir::server {
namespace {

using Part = PromptPlace::Part;
using With = PromptComparison::With;

// A change that costs less than a block is not worth a search.
constexpr int64_t kWorthTokens = 128;
// An id's text is seldom longer than this many others' together.
constexpr size_t kIdsOfOneText = 8;

// Of those that the model is told of.
uint64_t digest_of_tools(const FormOptions& form) {
  Sha256 hash;
  for (const Tool& tool : form.tools) {
    const bool is_told = form.tool_choice != ToolChoice::kNone;
    if (is_told) hash.add_text(tool.name).add_text(tool.description).add_text(tool.parameters);
  }
  return xxh3_64(hash.finish());
}

uint64_t digest_of_effort(const FormOptions& form) {
  return xxh3_64(Sha256().add_value(form.thinking).add_value(form.effort).finish());
}

uint64_t digest_of_format(const FormOptions& form) {
  return xxh3_64(Sha256().add_value(form.answer_format).add_text(form.answer_schema).finish());
}

// The bytes that two texts begin with alike though their ids differ.
int64_t same_bytes(const Served& served, std::span<const int32_t> ids,
                   std::span<const int32_t> others) {
  const auto beginning =
      [text_of = token_text_of(served.service->engine())](std::span<const int32_t> all) {
        std::string text;
        for (const int32_t id : all.first(std::min(all.size(), kIdsOfOneText))) text += text_of(id);
        return text;
      };
  const std::string ours = beginning(ids);
  const std::string theirs = beginning(others);
  const size_t count = std::min(ours.size(), theirs.size());
  const auto end = ours.begin() + static_cast<ptrdiff_t>(count);
  return std::mismatch(ours.begin(), end, theirs.begin()).first - ours.begin();
}

PromptPlace find_place(const Served& served, const Call& call, const PreparedPrompt& prompt,
                       const std::string& salt, int64_t same_ids, int64_t same_bytes) {
  const auto text_of = token_text_of(served.service->engine());
  if (call.messages.empty()) return place_in_text(prompt.tokens, text_of, same_ids, same_bytes);
  const FormOptions form = told_form(served, call);
  const SaidIds said = found_once(said_ids(served, &salt, nullptr));
  const auto encode = [&](std::span<const Message> messages,
                          const FormOptions& options) -> std::optional<std::vector<int32_t>> {
    Result<FormedPrompt> formed = served.form->encode(messages, options, said);
    if (!formed.ok()) return std::nullopt;
    return std::move(formed->tokens);
  };
  return place_of({.messages = call.messages,
                   .form = form,
                   .ids = prompt.tokens,
                   .encode = encode,
                   .token_text = text_of},
                  same_ids, same_bytes);
}

// What is said besides messages is known for certain of a prompt that this server saw.
PromptPlace refined(PromptPlace place, const Call& call, const EarlierPrompt& earlier) {
  const FormOptions& form = call.form;
  // What differs behind the first turn's beginning does so whatever stands before.
  const auto first_turn = std::ranges::find_if_not(call.messages, is_system);
  const bool is_behind = place.index > first_turn - call.messages.begin();
  if (place.part == Part::kMessage && (place.character > 0 || is_behind)) return place;
  if (digest_of_effort(form) != earlier.effort && place.index <= 0 && place.part != Part::kTools) {
    return {.part = Part::kSettings, .field = "reasoning_effort"};
  }
  if (digest_of_tools(form) != earlier.tools && place.part != Part::kTools) {
    return {.part = Part::kTools};
  }
  if (digest_of_format(form) != earlier.format && place.part != Part::kTools) {
    return {.part = Part::kSettings, .field = "response_format"};
  }
  return place;
}

PromptComparison compare_with_store(const Served& served, const Call& call,
                                    const PreparedPrompt& prompt, const std::string& salt) {
  const StoredLikeness stored =
      served.service->engine().nearest_stored(prompt.tokens, {.salt = salt});
  if (stored.same_tokens == 0) return {};
  PromptComparison comparison{.with = With::kStored, .same_ids = stored.same_tokens};
  const std::span<const int32_t> rest =
      std::span(prompt.tokens).subspan(static_cast<size_t>(stored.same_tokens));
  if (!stored.others.empty() && std::ssize(rest) >= kWorthTokens) {
    comparison.place = find_place(served, call, prompt, salt, stored.same_tokens,
                                  same_bytes(served, rest, stored.others));
  }
  return comparison;
}

// How many ids of an earlier prompt this one has not, though it goes on behind those that it has.
int64_t changed_ids(const EarlierPrompts::Likeness& earlier, const PreparedPrompt& prompt) {
  return std::min(std::ssize(earlier.prompt->ids), std::ssize(prompt.tokens)) - earlier.same_ids;
}

}  // namespace

PromptComparison compare_prompt(const Served& served, const Call& call,
                                const PreparedPrompt& prompt, const std::string& salt) {
  const std::string tenant = tenant_of(served, salt);
  const bool is_named = !call.compared_with.empty();
  const auto found = is_named ? served.earlier->find(tenant, call.compared_with, prompt.tokens)
                              : served.earlier->nearest(tenant, prompt.tokens);
  if (is_named && !found) return {.with = With::kUnknown};
  // Of what was said before a restart only the store knows.
  if (!is_named && (!found || changed_ids(*found, prompt) >= kWorthTokens)) {
    PromptComparison stored = compare_with_store(served, call, prompt, salt);
    if (!found || stored.same_ids > found->same_ids) return stored;
  }
  const std::vector<int32_t>& others = found->prompt->ids;
  PromptComparison comparison{
      .with = With::kPrompt, .same_ids = found->same_ids, .earlier_ids = std::ssize(others)};
  if (changed_ids(*found, prompt) < (is_named ? 1 : kWorthTokens)) return comparison;
  const auto same = static_cast<size_t>(comparison.same_ids);
  const int64_t bytes =
      same_bytes(served, std::span(prompt.tokens).subspan(same), std::span(others).subspan(same));
  const PromptPlace place = find_place(served, call, prompt, salt, comparison.same_ids, bytes);
  comparison.place = refined(place, call, *found->prompt);
  return comparison;
}

std::function<void(std::span<const int32_t> said)> remember_prompt(const Served& served,
                                                                   const Call& call,
                                                                   std::span<const int32_t> prompt,
                                                                   const std::string& salt,
                                                                   const std::string& reply_id) {
  std::string tenant = tenant_of(served, salt);
  served.earlier->add(tenant, {.id = reply_id,
                               .ids = {prompt.begin(), prompt.end()},
                               .tools = digest_of_tools(call.form),
                               .effort = digest_of_effort(call.form),
                               .format = digest_of_format(call.form)});
  return [&served, tenant = std::move(tenant), reply_id](std::span<const int32_t> said) {
    served.earlier->extend(tenant, reply_id, said);
  };
}

}  // namespace kvasir::server
