#include "store/remote/tls_stream.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace kvasir::store::remote {
namespace {

struct Free {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(BIO_METHOD* method) const { BIO_meth_free(method); }
};

// OpenSSL's own words for what it last complained of.
std::string last_words() {
  const unsigned long code = ERR_peek_last_error();
  if (code == 0) return "";
  std::array<char, 256> text{};
  ERR_error_string_n(code, text.data(), text.size());
  ERR_clear_error();
  return text.data();
}

// How OpenSSL reaches the socket. Its own way would raise SIGPIPE where the other end is gone.
SocketStream& socket_of(BIO* bio) { return *static_cast<SocketStream*>(BIO_get_data(bio)); }

int bio_read(BIO* bio, char* into, int size) {
  BIO_clear_retry_flags(bio);
  const ssize_t count =
      socket_of(bio).try_read(std::as_writable_bytes(std::span(into, static_cast<size_t>(size))));
  if (count < 0 && errno == EAGAIN) BIO_set_retry_read(bio);
  return static_cast<int>(count);
}

int bio_write(BIO* bio, const char* from, int size) {
  BIO_clear_retry_flags(bio);
  const ssize_t count =
      socket_of(bio).try_write(std::as_bytes(std::span(from, static_cast<size_t>(size))));
  if (count < 0 && errno == EAGAIN) BIO_set_retry_write(bio);
  return static_cast<int>(count);
}

long bio_control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

int bio_create(BIO* bio) {
  BIO_set_init(bio, 1);
  return 1;
}

class TlsStream final : public ByteStream {
 public:
  TlsStream(std::unique_ptr<SocketStream> socket, std::unique_ptr<SSL, Free> ssl)
      : socket_(std::move(socket)), ssl_(std::move(ssl)) {}

  Status shake_hands(Deadline deadline) {
    while (true) {
      ERR_clear_error();
      const int done = SSL_connect(ssl_.get());
      if (done == 1) return ok_status();
      KVASIR_RETURN_IF_ERROR(wait_after(done, deadline));
    }
  }

  Result<size_t> read_some(std::span<std::byte> into, Deadline deadline) override {
    while (true) {
      size_t count = 0;
      ERR_clear_error();
      const int done = SSL_read_ex(ssl_.get(), into.data(), into.size(), &count);
      if (done == 1) return count;
      KVASIR_RETURN_IF_ERROR(wait_after(done, deadline));
    }
  }

  Result<size_t> write_some(std::span<const std::byte> from, Deadline deadline) override {
    while (true) {
      size_t count = 0;
      ERR_clear_error();
      const int done = SSL_write_ex(ssl_.get(), from.data(), from.size(), &count);
      if (done == 1) return count;
      KVASIR_RETURN_IF_ERROR(wait_after(done, deadline));
    }
  }

  // Bytes may have come that are TLS's own business, a ticket for example.
  bool is_quiet() override {
    std::byte one{};
    size_t count = 0;
    ERR_clear_error();
    const int done = SSL_peek_ex(ssl_.get(), &one, 1, &count);
    return done != 1 && SSL_get_error(ssl_.get(), done) == SSL_ERROR_WANT_READ;
  }

  int descriptor() const override { return socket_->descriptor(); }

 private:
  // Waits for what OpenSSL needs to go on, or says why it cannot.
  Status wait_after(int done, Deadline deadline) {
    switch (SSL_get_error(ssl_.get(), done)) {
      case SSL_ERROR_WANT_READ:
        return socket_->wait(SocketStream::Wait::kReadable, deadline);
      case SSL_ERROR_WANT_WRITE:
        return socket_->wait(SocketStream::Wait::kWritable, deadline);
      case SSL_ERROR_ZERO_RETURN:
        return Error{.kind = ErrorKind::kIo,
                     .what = "the other end closed the connection",
                     .where = socket_->where()};
      default:
        return failure();
    }
  }

  Error failure() const {
    const long verdict = SSL_get_verify_result(ssl_.get());
    if (verdict != X509_V_OK) {
      return Error{.kind = ErrorKind::kUsage,
                   .what = "the other end's certificate is not trusted",
                   .where = socket_->where(),
                   .found = X509_verify_cert_error_string(verdict),
                   .remedy = "name the file of who signed it: ca_file=PATH"};
    }
    return Error{.kind = ErrorKind::kIo,
                 .what = "the TLS connection broke",
                 .where = socket_->where(),
                 .found = last_words()};
  }

  std::unique_ptr<SocketStream> socket_;  // outlives ssl_, which reads from it
  std::unique_ptr<SSL, Free> ssl_;
};

bool is_number(const std::string& host) {
  ASN1_OCTET_STRING* address = a2i_IPADDRESS(host.c_str());
  ASN1_OCTET_STRING_free(address);
  return address != nullptr;
}

bool expect_host(SSL* ssl, const std::string& host) {
  if (is_number(host)) {
    return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str()) == 1;
  }
  SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return SSL_set1_host(ssl, host.c_str()) == 1 && SSL_set_tlsext_host_name(ssl, host.c_str()) == 1;
}

}  // namespace

struct TlsContext::State {
  std::unique_ptr<SSL_CTX, Free> context{SSL_CTX_new(TLS_client_method())};
};

namespace {

// One for the process: streams may outlive their context. Null: no memory.
const BIO_METHOD* socket_method() {
  static const std::unique_ptr<BIO_METHOD, Free> kMethod = [] {
    std::unique_ptr<BIO_METHOD, Free> method(
        BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket stream"));
    if (!method) return method;
    BIO_meth_set_read(method.get(), bio_read);
    BIO_meth_set_write(method.get(), bio_write);
    BIO_meth_set_ctrl(method.get(), bio_control);
    BIO_meth_set_create(method.get(), bio_create);
    return method;
  }();
  return kMethod.get();
}

Error tls_trouble(const std::string& what, const std::string& where) {
  return Error{.kind = ErrorKind::kNoMemory, .what = what, .where = where, .found = last_words()};
}

}  // namespace

TlsContext::TlsContext(std::unique_ptr<State> state) : state_(std::move(state)) {}
TlsContext::~TlsContext() = default;

Result<std::shared_ptr<const TlsContext>> TlsContext::create(const std::string& ca_file) {
  auto state = std::make_unique<State>();
  SSL_CTX* context = state->context.get();
  if (context == nullptr) return tls_trouble("no TLS", ca_file);
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_read_ahead(context, 1);
  const int is_read = ca_file.empty()
                          ? SSL_CTX_set_default_verify_paths(context)
                          : SSL_CTX_load_verify_locations(context, ca_file.c_str(), nullptr);
  if (is_read != 1) {
    return Error{.kind = ErrorKind::kUsage,
                 .what = "no certificates can be read",
                 .field = "ca_file",
                 .where = ca_file,
                 .expected = "PEM",
                 .found = last_words()};
  }
  return std::shared_ptr<const TlsContext>(new TlsContext(std::move(state)));
}

Result<std::unique_ptr<ByteStream>> TlsContext::open(std::unique_ptr<SocketStream> socket,
                                                     const std::string& host,
                                                     Deadline deadline) const {
  std::unique_ptr<SSL, Free> ssl(SSL_new(state_->context.get()));
  BIO* bio = ssl && socket_method() != nullptr ? BIO_new(socket_method()) : nullptr;
  if (bio == nullptr) return tls_trouble("no TLS", socket->where());
  BIO_set_data(bio, socket.get());
  SSL_set_bio(ssl.get(), bio, bio);
  if (!expect_host(ssl.get(), host)) return tls_trouble("no TLS", socket->where());
  auto stream = std::make_unique<TlsStream>(std::move(socket), std::move(ssl));
  KVASIR_RETURN_IF_ERROR(stream->shake_hands(deadline));
  return std::unique_ptr<ByteStream>(std::move(stream));
}

}  // namespace kvasir::store::remote
