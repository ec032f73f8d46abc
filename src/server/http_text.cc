#include "server/http_text.h"

#include <algorithm>
#include <ctime>
#include <utility>

namespace kvasir::server {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char small = lower(c);
  return small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;
}

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7f;
}

// None where a % is not followed by two digits, or control characters come out.
std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      if (i + 2 >= text.size()) return std::nullopt;
      const int high = hex_digit(text[i + 1]);
      const int low = hex_digit(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      c = static_cast<char>(high * 16 + low);
      i += 2;
    }
    if (is_control(c)) return std::nullopt;
    out += c;
  }
  return out;
}

int64_t count_of(const HttpRequest& request, std::string_view name) {
  return std::ranges::count_if(
      request.headers, [&](const auto& one) { return equal_ignoring_case(one.first, name); });
}

void replace_host(std::string_view host, HttpHeaders& headers) {
  std::erase_if(headers, [](const auto& one) { return equal_ignoring_case(one.first, "Host"); });
  headers.emplace_back("Host", host);
}

// "http://host:80/path" -> "/path"
std::string_view without_authority(std::string_view target, HttpRequest& request) {
  for (std::string_view scheme : {"http://", "https://"}) {
    if (!equal_ignoring_case(target.substr(0, scheme.size()), scheme)) continue;
    target.remove_prefix(scheme.size());
    const size_t end = std::min(target.find_first_of("/?"), target.size());
    replace_host(target.substr(0, end), request.headers);
    return target.substr(end);
  }
  return target;
}

std::optional<HttpRefusal> check_framing(const HttpRequest& request, bool is_http_1_0) {
  const std::string* length = request.header("Content-Length");
  if (length != nullptr &&
      (count_of(request, "Content-Length") > 1 || length->find(',') != length->npos)) {
    return HttpRefusal{400, "more than one Content-Length"};
  }
  const std::string* encoding = request.header("Transfer-Encoding");
  if (encoding == nullptr) return std::nullopt;
  if (is_http_1_0) return HttpRefusal{400, "Transfer-Encoding in HTTP/1.0"};
  if (length != nullptr) return HttpRefusal{400, "both Content-Length and Transfer-Encoding"};
  if (count_of(request, "Transfer-Encoding") > 1 || !equal_ignoring_case(*encoding, "chunked")) {
    return HttpRefusal{501, "Transfer-Encoding other than chunked"};
  }
  return std::nullopt;
}

const char* reason_of(int status) {
  constexpr std::pair<int, const char*> kReasons[] = {
      {200, "OK"},
      {201, "Created"},
      {204, "No Content"},
      {304, "Not Modified"},
      {400, "Bad Request"},
      {401, "Unauthorized"},
      {403, "Forbidden"},
      {404, "Not Found"},
      {405, "Method Not Allowed"},
      {408, "Request Timeout"},
      {409, "Conflict"},
      {411, "Length Required"},
      {413, "Content Too Large"},
      {414, "URI Too Long"},
      {415, "Unsupported Media Type"},
      {417, "Expectation Failed"},
      {421, "Misdirected Request"},
      {422, "Unprocessable Content"},
      {429, "Too Many Requests"},
      {431, "Request Header Fields Too Large"},
      {500, "Internal Server Error"},
      {501, "Not Implemented"},
      {503, "Service Unavailable"},
  };
  for (const auto& [number, reason] : kReasons) {
    if (number == status) return reason;
  }
  return "Other";
}

std::string date_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char text[40];
  return {text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts)};
}

void add_header(std::string& head, std::string_view name, std::string_view value) {
  const size_t begin = head.size();
  head.append(name).append(": ").append(value);
  std::replace_if(head.begin() + static_cast<std::ptrdiff_t>(begin), head.end(), is_control, ' ');
  head += "\r\n";
}

bool is_framing(std::string_view name) {
  return equal_ignoring_case(name, "Content-Length") || equal_ignoring_case(name, "Connection") ||
         equal_ignoring_case(name, "Transfer-Encoding") || equal_ignoring_case(name, "Date");
}

}  // namespace

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, lower, lower);
}

const std::string* HttpRequest::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (equal_ignoring_case(key, name)) return &value;
  }
  return nullptr;
}

std::optional<HttpRefusal> read_target(std::string_view target, HttpRequest& request) {
  target = without_authority(target, request);
  const size_t mark = std::min(target.find('?'), target.size());
  std::optional<std::string> path = percent_decoded(target.substr(0, mark));
  if (!path) return HttpRefusal{400, "a path with wrong percent signs or control characters"};
  request.path = path->empty() ? "/" : std::move(*path);
  request.query = target.substr(std::min(mark + 1, target.size()));
  const bool is_all = request.method == "OPTIONS" && request.path == "*";
  if (request.path.front() != '/' && !is_all) return HttpRefusal{400, "a target that is no path"};
  return std::nullopt;
}

std::optional<HttpRefusal> check_head(const HttpRequest& request, bool is_http_1_0) {
  const int64_t hosts = count_of(request, "Host");
  if (hosts > 1 || (hosts == 0 && !is_http_1_0)) return HttpRefusal{400, "not one Host header"};
  if (auto refusal = check_framing(request, is_http_1_0)) return refusal;
  const std::string* encoding = request.header("Content-Encoding");
  if (encoding != nullptr && !equal_ignoring_case(*encoding, "identity")) {
    return HttpRefusal{415, "bodies are taken as they are, without Content-Encoding"};
  }
  const std::string* expect = request.header("Expect");
  if (expect != nullptr && !is_http_1_0 && !equal_ignoring_case(*expect, "100-continue")) {
    return HttpRefusal{417, "an expectation other than 100-continue"};
  }
  return std::nullopt;
}

bool status_has_body(int status) { return status >= 200 && status != 204 && status != 304; }

std::string response_head(const HttpResponse& response, const HttpFraming& framing) {
  std::string head = "HTTP/1.1 " + std::to_string(response.status) + " ";
  head.append(reason_of(response.status)).append("\r\n");
  add_header(head, "Date", date_now());
  for (const auto& [name, value] : response.headers) {
    if (!is_framing(name)) add_header(head, name, value);
  }
  if (!status_has_body(response.status)) {
    // Neither of the two is allowed.
  } else if (framing.body_bytes) {
    add_header(head, "Content-Length", std::to_string(*framing.body_bytes));
  } else if (!framing.is_http_1_0) {
    add_header(head, "Transfer-Encoding", "chunked");
  }
  if (!framing.keeps_alive) {
    add_header(head, "Connection", "close");
  } else if (framing.is_http_1_0) {
    add_header(head, "Connection", "keep-alive");
  }
  return head + "\r\n";
}

}  // namespace kvasir::server
