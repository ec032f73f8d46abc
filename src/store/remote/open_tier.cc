// How a remote tier is opened from what people say of it.
#include <utility>

#include "base/digest.h"
#include "base/little_endian.h"
#include "store/remote/engine_access.h"
#include "store/remote/remote_tier.h"
#include "store/remote/remote_url.h"

namespace kvasir::store::remote {
namespace {

// Names that one call asks a Redis server for: 8,192 take it 12 ms.
constexpr int64_t kRedisProbesMax = 8192;

EngineTraits traits_of(const RemoteUrl& url) {
  if (url.kind == EngineKind::kS3) return {.probes_max = 1, .is_packed = true};
  return {.probes_max = kRedisProbesMax, .has_ttl = true};
}

Result<std::unique_ptr<Endpoint>> open_endpoint(const std::string& text) {
  KVASIR_ASSIGN_OR_RETURN(const RemoteUrl url, parse_remote_url(text));
  // What is wrong with its files is known at once; whether anybody is there shows later.
  KVASIR_ASSIGN_OR_RETURN(auto first, make_client(url, quick_link_limits(url.kind)));
  const auto factory = [url]() -> std::unique_ptr<ObjectClient> {
    auto client = make_client(url, quick_link_limits(url.kind));
    return client.ok() ? std::move(*client) : nullptr;
  };
  const Digest256 digest = Sha256().add_text(url.label()).finish();
  return std::make_unique<Endpoint>(url.label(), traits_of(url), url.connections, factory,
                                    load_little_endian<uint64_t>(digest.data()));
}

}  // namespace

Result<std::unique_ptr<RemoteTier>> RemoteTier::open(BlockStore& own,
                                                     const RemoteOptions& options) {
  KVASIR_ASSIGN_OR_RETURN(std::vector<std::byte> secret, read_group_secret(options));
  std::vector<std::unique_ptr<Endpoint>> endpoints;
  for (const std::string& url : options.urls) {
    KVASIR_ASSIGN_OR_RETURN(auto endpoint, open_endpoint(url));
    endpoints.push_back(std::move(endpoint));
  }
  return std::make_unique<RemoteTier>(own, std::move(endpoints), std::move(secret), options);
}

}  // namespace kvasir::store::remote
