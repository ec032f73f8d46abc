#include "server/session_name.h"

#include <algorithm>

#include "base/digest.h"

namespace kvasir::server {
namespace {

constexpr size_t kNameBytesMax = 64;
constexpr size_t kHashedBytes = 16;

// What every proxy and client takes as a header's value.
bool is_plain(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
         c == '_' || c == '.' || c == ':';
}

}  // namespace

std::string session_name(const std::string* sent, std::string_view conversation,
                         const std::string& fresh) {
  if (sent != nullptr && !sent->empty()) conversation = *sent;
  if (conversation.empty()) return fresh;
  if (conversation.size() <= kNameBytesMax && std::ranges::all_of(conversation, is_plain)) {
    return std::string(conversation);
  }
  const Digest256 digest = Sha256().add_text("kvasir session").add_text(conversation).finish();
  return to_hex(std::span(digest).first(kHashedBytes));
}

}  // namespace kvasir::server
