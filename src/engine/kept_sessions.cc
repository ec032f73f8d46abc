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
  kept_.push_front({.session = std::move(session), .salt = std::move(salt)});
}

Session* KeptSessions::find(std::span<const int32_t> prompt, const std::string& salt) {
  auto best = kept_.end();
  int64_t best_length = 0;
  for (auto kept = kept_.begin(); kept != kept_.end(); ++kept) {
    const auto tokens = kept->session.tokens();
    const bool fits = kept->salt == salt && std::ssize(tokens) > best_length &&
                      common_tokens(tokens, prompt) == std::ssize(tokens);
    if (!fits || (tokens.size() == prompt.size() && !kept->session.has_logits())) continue;
    best = kept;
    best_length = std::ssize(tokens);
  }
  if (best == kept_.end()) return nullptr;
  kept_.splice(kept_.begin(), kept_, best);
  return &kept_.front().session;
}

bool KeptSessions::drop_oldest() {
  if (kept_.empty()) return false;
  kept_.pop_back();
  return true;
}

}  // namespace kvasir
