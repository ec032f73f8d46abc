#include "store/remote/engine_access.h"

#include <string>
#include <utility>

#include "store/remote/redis/redis_client.h"
#include "store/remote/s3/credentials.h"
#include "store/remote/s3/s3_client.h"

namespace kvasir::store::remote {
namespace {

Error bad_secret(const char* what) {
  return Error{.kind = ErrorKind::kUsage, .what = what, .field = "secret_file"};
}

// Guessing a shorter one is too easy.
constexpr size_t kSecretBytesMin = 16;

}  // namespace

LinkLimits quick_link_limits(EngineKind kind) {
  return kind == EngineKind::kS3 ? kS3LinkLimits : LinkLimits{};
}

Result<std::unique_ptr<ObjectClient>> make_client(const RemoteUrl& url, const LinkLimits& limits) {
  if (url.kind == EngineKind::kS3) {
    KVASIR_ASSIGN_OR_RETURN(auto credentials, find_s3_credentials(url.credentials_file));
    return std::unique_ptr<ObjectClient>(
        std::make_unique<S3Client>(url, std::move(credentials), limits));
  }
  KVASIR_ASSIGN_OR_RETURN(auto client, RedisClient::create(url, limits));
  return std::unique_ptr<ObjectClient>(std::move(client));
}

Result<std::vector<std::byte>> read_group_secret(const RemoteOptions& options) {
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

}  // namespace kvasir::store::remote
