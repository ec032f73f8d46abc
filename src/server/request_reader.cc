// One of the parser's assertions does not hold for a body that comes byte by byte, though the code
// behind it does. Nobody outside may end the process.
#define BOOST_DISABLE_ASSERTS

#include "server/request_reader.h"

#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <utility>

namespace kvasir::server {
namespace {

namespace http = boost::beast::http;
using boost::system::error_code;

constexpr int kHeadersMax = 128;

}  // namespace

// Collects what Beast reads. Fields behind a chunked body are dropped: whoever looked at the head
// has not seen them.
class RequestReader::Parser final : public http::basic_parser<true> {
 public:
  HttpRequest request;
  std::string target;
  int version = 0;  // 10 or 11; 0 before the request line is read

 private:
  using View = boost::beast::string_view;

  void on_request_impl(http::verb, View method, View text, int number, error_code&) override {
    request.method = method;
    target = text;
    version = number;
  }
  void on_field_impl(http::field, View name, View value, error_code& ec) override {
    if (is_header_done()) return;
    if (std::ssize(request.headers) >= kHeadersMax) {
      ec = http::error::header_limit;
    } else {
      request.headers.emplace_back(name, value);
    }
  }
  size_t on_body_impl(View bytes, error_code&) override {
    request.body.append(bytes.data(), bytes.size());
    return bytes.size();
  }
  size_t on_chunk_body_impl(uint64_t, View bytes, error_code& ec) override {
    return on_body_impl(bytes, ec);
  }
  void on_response_impl(int, View, int, error_code&) override {}
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<uint64_t>&, error_code&) override {}
  void on_chunk_header_impl(uint64_t, View, error_code&) override {}
  void on_finish_impl(error_code&) override {}
};

RequestReader::RequestReader(const HttpOptions& options)
    : header_bytes_max_(options.header_bytes_max), parser_(std::make_unique<Parser>()) {
  parser_->header_limit(static_cast<uint32_t>(options.header_bytes_max));
  parser_->body_limit(static_cast<uint64_t>(options.body_bytes_max));
}
RequestReader::~RequestReader() = default;

bool RequestReader::has_head() const { return parser_->is_header_done(); }
bool RequestReader::is_done() const { return parser_->is_done(); }
HttpRequest& RequestReader::request() { return parser_->request; }
bool RequestReader::is_http_1_0() const { return parser_->version == 10; }
bool RequestReader::keeps_alive() const { return parser_->keep_alive(); }
bool RequestReader::wants_continue() const {
  return !is_http_1_0() && parser_->request.header("Expect") != nullptr;
}
int64_t RequestReader::body_bytes() const {
  const auto announced = static_cast<int64_t>(parser_->content_length().value_or(0));
  return std::max(announced, std::ssize(parser_->request.body));
}

std::optional<HttpRefusal> RequestReader::read(std::string& input) {
  if (!has_head()) return read_head(input);
  if (is_done()) return std::nullopt;
  parser_->eager(true);
  if (auto refusal = feed(input)) return refusal;
  if (!is_done() && std::ssize(input) > header_bytes_max_) {
    return HttpRefusal{400, "the head of a chunk is too long"};
  }
  return std::nullopt;
}

std::optional<HttpRefusal> RequestReader::read_head(std::string& input) {
  if (auto refusal = feed(input)) {
    // Whoever writes the refusal wants to know what was asked for.
    if (parser_->version != 0) (void)read_target(parser_->target, parser_->request);
    return refusal;
  }
  const int64_t bytes = fed_bytes_ + (has_head() ? 0 : std::ssize(input));
  if (bytes > header_bytes_max_) return refusal_for_head();
  if (!has_head()) return std::nullopt;
  if (auto refusal = check_head(parser_->request, is_http_1_0())) return refusal;
  return read_target(parser_->target, parser_->request);
}

std::optional<HttpRefusal> RequestReader::feed(std::string& input) {
  if (input.empty()) return std::nullopt;
  error_code ec;
  const size_t used = parser_->put(boost::asio::const_buffer(input.data(), input.size()), ec);
  input.erase(0, used);
  fed_bytes_ += static_cast<int64_t>(used);
  if (!ec || ec == http::error::need_more) return std::nullopt;
  if (ec == http::error::header_limit) return refusal_for_head();
  if (ec == http::error::body_limit) return HttpRefusal{413, "the body is too large"};
  return HttpRefusal{400, "malformed request: " + ec.message()};
}

HttpRefusal RequestReader::refusal_for_head() const {
  if (parser_->version == 0) return {414, "the request line is too long"};
  return {431, "too many headers, or too long ones"};
}

}  // namespace kvasir::server
