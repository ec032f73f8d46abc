// How a remote tier is opened from what people say of it.
#include <utility>

#include "base/digest.h"
#include "base/little_endian.h"
#include "store/remote/redis/redis_client.h"
#include "store/remote/remote_tier.h"
#include "store/remote/remote_url.h"
#include "store/remote/s3/credentials.h"
#include "store/remote/s3/s3_client.h"

namespace kvasir::store::remote {
namespace {

// Names that one call asks a Redis server for: 8,192 take it 12 ms.
constexpr int64_t kRedisProbesMax = 8192;

EngineTraits traits_of(const RemoteUrl& url) {
  if (url.kind == EngineKind::kS3) return {.probes_max = 1, .is_packed = true};
  return {.probes_max = kRedisProbesMax, .has_ttl = true};
}

Result<std::unique_ptr<ObjectClient>> make_client(const RemoteUrl& url) {
  if (url.kind == EngineKind::kS3) {
    KVASIR_ASSIGN_OR_RETURN(auto credentials, find_s3_credentials(url.credentials_file));
    return std::unique_ptr<ObjectClient>(std::make_unique<S3Client>(url, std::move(credentials)));
  }
  KVASIR_ASSIGN_OR_RETURN(auto client, RedisClient::create(url));
  return std::unique_ptr<ObjectClient>(std::move(client));
}

Result<std::unique_ptr<Endpoint>> open_endpoint(const std::string& text) {
  KVASIR_ASSIGN_OR_RETURN(const RemoteUrl url, parse_remote_url(text));
  // What is wrong with its files is known at once; whether anybody is there shows later.
  KVASIR_ASSIGN_OR_RETURN(auto first, make_client(url));
  const auto factory = [url]() -> std::unique_ptr<ObjectClient> {
    auto client = make_client(url);
    return client.ok() ? std::move(*client) : nullptr;
  };
  const Digest256 digest = Sha256().add_text(url.label()).finish();
  return std::make_unique<Endpoint>(url.label(), traits_of(url), url.connections, factory,
                                    load_little_endian<uint64_t>(digest.data()));
}

Error bad_secret(const char* what) {
  return Error{.kind = ErrorKind::kUsage, .what = what, .field = "secret_file"};
}

// Guessing a shorter one is too easy.
constexpr size_t kSecretBytesMin = 16;

Result<std::vector<std::byte>> read_secret(const RemoteOptions& options) {
  if (options.secret_file.empty()) {
    if (options.encrypts) return bad_secret("encrypting needs a secret");
    return std::vector<std::byte>();
  }
  KVASIR_ASSIGN_OR_RETURN(const std::string text, read_secret_file(options.secret_file));
  if (text.size() < kSecretBytesMin) {
    Error error = bad_secret("the secret is too short");
    error.where = options.secret_file;
    error.expected = std::to_string(kSecretBytesMin) + " bytes at least";
    error.found = std::to_string(text.size());
    error.remedy = "openssl rand -hex 32 makes one";
    return error;
  }
  const auto bytes = std::as_bytes(std::span(text));
  return std::vector(bytes.begin(), bytes.end());
}

}  // namespace

Result<std::unique_ptr<RemoteTier>> RemoteTier::open(BlockStore& own,
                                                     const RemoteOptions& options) {
  KVASIR_ASSIGN_OR_RETURN(std::vector<std::byte> secret, read_secret(options));
  std::vector<std::unique_ptr<Endpoint>> endpoints;
  for (const std::string& url : options.urls) {
    KVASIR_ASSIGN_OR_RETURN(auto endpoint, open_endpoint(url));
    endpoints.push_back(std::move(endpoint));
  }
  return std::make_unique<RemoteTier>(own, std::move(endpoints), std::move(secret), options);
}

}  // namespace kvasir::store::remote
