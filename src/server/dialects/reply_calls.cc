#include "server/dialects/reply_calls.h"

#include "base/digest.h"

namespace kvasir::server {

std::string call_id(std::string_view prefix, std::string_view reply_id, int64_t choice,
                    int64_t call) {
  constexpr std::string_view kCharacters =
      "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  constexpr size_t kCount = 24;
  const Digest256 digest = Sha256().add_text(reply_id).add_value(choice).add_value(call).finish();
  std::string id(prefix);
  for (size_t i = 0; i < kCount; ++i) {
    id += kCharacters[static_cast<size_t>(digest[i]) % kCharacters.size()];
  }
  return id;
}

}  // namespace kvasir::server
