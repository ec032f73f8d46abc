#include "engine/kept_sessions.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace kvasir {

int64_t common_tokens(std::span<const int32_t> a, std::span<const int32_t> b) {
  const size_t count = std::min(a.size(), b.size());
  const auto end = a.begin() + static_cast<std::ptrdiff_t>(count);
  return std::mismatch(a.begin(), end, b.begin()).first - a.begin();
}

void KeptSessions::keep(Session session, std::string salt) {
  const auto tokens = session.tokens();
  kept_.remove_if([&](const Kept& old) {
    return old.salt == salt && std::ranges::equal(old.session.tokens(), tokens);
  });
  kept_.push_front({.session = std::move(session), .salt = std::move(salt), .used_at = ++uses_});
}

Session* KeptSessions::find(std::span<const int32_t> prompt, const std::string& salt) {
  auto best = kept_.end();
  int64_t best_length = 0;
  for (auto kept = kept_.begin(); kept != kept_.end(); ++kept) {
    const auto tokens = kept->session.tokens();
    const bool fits = kept->salt == salt && kept->session.is_in_memory() &&
                      std::ssize(tokens) > best_length &&
                      common_tokens(tokens, prompt) == std::ssize(tokens);
    if (!fits || (tokens.size() == prompt.size() && !kept->session.has_logits())) continue;
    best = kept;
    best_length = std::ssize(tokens);
  }
  if (best == kept_.end()) return nullptr;
  kept_.splice(kept_.begin(), kept_, best);
  best->used_at = ++uses_;
  return &kept_.front().session;
}

bool KeptSessions::drop_oldest() {
  if (kept_.empty()) return false;
  kept_.pop_back();
  return true;
}

bool KeptSessions::drop_least_worth() {
  const auto worth = [&](const Kept& kept) {
    if (!kept.session.is_in_memory()) return 0.0;
    return static_cast<double>(kept.session.length()) /
           static_cast<double>(uses_ - kept.used_at + 1);
  };
  const auto least = std::ranges::min_element(kept_, {}, worth);
  if (least == kept_.end()) return false;
  kept_.erase(least);
  return true;
}

}  // namespace kvasir
