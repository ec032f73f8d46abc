#include "server/page.h"

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "base/check.h"
#include "base/digest.h"

namespace kvasir::embedded {
extern const std::string_view chat_page_html;  // src/server/page.html
}

namespace kvasir::server {
namespace {

// What stands between <tag> and </tag>, as a browser hashes it.
std::string source_of(std::string_view page, std::string_view tag) {
  const std::string open = fmt::format("<{}>", tag);
  const size_t begin = page.find(open);
  const size_t end = page.find(fmt::format("</{}>", tag));
  KVASIR_CHECK(begin != page.npos && end != page.npos, "the page has one of each");
  const std::string_view inner = page.substr(begin + open.size(), end - begin - open.size());
  const Digest256 digest = Sha256().add(std::as_bytes(std::span(inner))).finish();
  return fmt::format("'sha256-{}'", to_base64(digest));
}

std::string content_policy(std::string_view page) {
  return fmt::format(
      "default-src 'none'; script-src {}; style-src {}; connect-src 'self'; img-src data:; "
      "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
      "require-trusted-types-for 'script'; trusted-types 'none'",
      source_of(page, "script"), source_of(page, "style"));
}

}  // namespace

HttpResponse page_response() {
  static const std::string kPolicy = content_policy(embedded::chat_page_html);
  return {.headers = {{"content-type", "text/html; charset=utf-8"},
                      {"content-security-policy", kPolicy},
                      {"x-content-type-options", "nosniff"},
                      {"referrer-policy", "same-origin"},
                      {"cross-origin-opener-policy", "same-origin"},
                      {"cross-origin-resource-policy", "same-origin"},
                      {"cache-control", "no-cache"}},
          .body = std::string(embedded::chat_page_html)};
}

}  // namespace kvasir::server
