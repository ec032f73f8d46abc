// A TlsStream is a ByteStream over TLS 1.2 or newer: the other end proves with a certificate that
// it is the host it was asked for. This is the one place that knows OpenSSL's TLS.
//
// A TlsContext is whom a client trusts; its streams share it and may outlive it.
#pragma once

#include <memory>
#include <string>

#include "store/remote/byte_stream.h"
#include "store/remote/socket_stream.h"

namespace kvasir::store::remote {

class TlsContext {
 public:
  // `ca_file`: PEM; empty: whom the system trusts. Error: it cannot be read or has none.
  static Result<std::shared_ptr<const TlsContext>> create(const std::string& ca_file);
  ~TlsContext();

  // Shakes hands over a connection. `host`: a name, or an address as a number. Error: kUsage, the
  // other end's certificate is none that is trusted, or another host's; else as a ByteStream's.
  Result<std::unique_ptr<ByteStream>> open(std::unique_ptr<SocketStream> socket,
                                           const std::string& host, Deadline deadline) const;

 private:
  struct State;
  explicit TlsContext(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace kvasir::store::remote
