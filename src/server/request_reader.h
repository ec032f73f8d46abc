// A RequestReader makes a request of bytes, first its head, then its body. It keeps no more than
// the limits of HttpOptions allow, and refuses what other programs on the way could read in another
// sense. One reader reads one request. One thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "server/http_server.h"
#include "server/http_text.h"

namespace kvasir::server {

class RequestReader {
 public:
  explicit RequestReader(const HttpOptions& options);
  ~RequestReader();

  // Takes from the front of `input` what belongs to the head or, once has_head(), to the body; what
  // is left belongs to the next request or is not complete. A refusal ends the connection.
  std::optional<HttpRefusal> read(std::string& input);

  bool has_head() const;
  bool is_done() const;

  // Once has_head(); without peer and listener, which are the connection's.
  HttpRequest& request();
  bool is_http_1_0() const;
  bool keeps_alive() const;
  bool wants_continue() const;
  // What has come, or is announced, whichever is more.
  int64_t body_bytes() const;

 private:
  class Parser;

  std::optional<HttpRefusal> feed(std::string& input);
  std::optional<HttpRefusal> read_head(std::string& input);
  HttpRefusal refusal_for_head() const;

  const int64_t header_bytes_max_;
  int64_t fed_bytes_ = 0;
  std::unique_ptr<Parser> parser_;
};

}  // namespace kvasir::server
