#include "store/remote/redis/cluster_map.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace kvasir::store::remote {
namespace {

constexpr size_t kPlacesMax = 1000;
constexpr size_t kHostBytesMax = 253;

Error no_map(const HostPort& asked) {
  return Error{.kind = ErrorKind::kDamaged,
               .what = "the server's table of slots is none",
               .where = asked.host + ":" + std::to_string(asked.port)};
}

std::optional<int> number_of(std::string_view text, int least, int most) {
  int value = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value);
  if (parsed.ec != std::errc() || parsed.ptr != end || value < least || value > most) return {};
  return value;
}

bool is_number(const RespValue& value, int64_t least, int64_t most) {
  return value.is(RespValue::Kind::kInteger) && value.integer >= least && value.integer <= most;
}

// Of [host, port, ...]. None: it is no such thing.
std::optional<HostPort> place_of(const RespValue& node, const HostPort& asked) {
  if (!node.is(RespValue::Kind::kArray) || node.elements.size() < 2) return std::nullopt;
  const RespValue& host = node.elements[0];
  const bool has_host = host.is(RespValue::Kind::kBulk) && !host.text.empty();
  const bool is_host =
      has_host || host.is(RespValue::Kind::kBulk) || host.is(RespValue::Kind::kNull);
  if (!is_host || host.text.size() > kHostBytesMax || !is_number(node.elements[1], 1, 65535)) {
    return std::nullopt;
  }
  return HostPort{has_host ? host.text : asked.host, static_cast<int>(node.elements[1].integer)};
}

}  // namespace

RespLimits ClusterMap::limits() {
  return {.text_bytes_max = 4 << 20, .elements_max = 256 << 10, .depth_max = 5};
}

int16_t ClusterMap::index_of(const HostPort& place) {
  const auto found = std::ranges::find(places_, place);
  if (found != places_.end()) return static_cast<int16_t>(found - places_.begin());
  places_.push_back(place);
  return static_cast<int16_t>(places_.size() - 1);
}

Result<ClusterMap> ClusterMap::read(const RespValue& answer, const HostPort& asked) {
  ClusterMap map;
  map.owners_.fill(-1);
  if (!answer.is(RespValue::Kind::kArray)) return no_map(asked);
  for (const RespValue& range : answer.elements) {
    if (!range.is(RespValue::Kind::kArray) || range.elements.size() < 3 ||
        !is_number(range.elements[0], 0, kSlots - 1) ||
        !is_number(range.elements[1], range.elements[0].integer, kSlots - 1)) {
      return no_map(asked);
    }
    const std::optional<HostPort> place = place_of(range.elements[2], asked);
    if (!place) return no_map(asked);
    if (place->host == "?") continue;  // the server does not know where the other one is
    const int16_t index = map.index_of(*place);
    if (map.places_.size() > kPlacesMax) return no_map(asked);
    std::fill(map.owners_.begin() + range.elements[0].integer,
              map.owners_.begin() + range.elements[1].integer + 1, index);
  }
  return map;
}

const HostPort* ClusterMap::owner(int slot) const {
  const int16_t index = owners_[static_cast<size_t>(slot)];
  return index < 0 ? nullptr : &places_[static_cast<size_t>(index)];
}

void ClusterMap::set_owner(int slot, const HostPort& place) {
  if (places_.size() < kPlacesMax) owners_[static_cast<size_t>(slot)] = index_of(place);
}

std::optional<Redirection> redirection_of(const RespValue& answer, const HostPort& asked) {
  if (!answer.is(RespValue::Kind::kError)) return std::nullopt;
  std::string_view rest = answer.text;
  const std::string_view code = answer.error_code();
  if (code != "MOVED" && code != "ASK") return std::nullopt;
  rest.remove_prefix(std::min(code.size() + 1, rest.size()));
  const size_t blank = std::min(rest.find(' '), rest.size());
  const std::optional<int> slot = number_of(rest.substr(0, blank), 0, kSlots - 1);
  rest.remove_prefix(std::min(blank + 1, rest.size()));
  const size_t colon = rest.rfind(':');
  if (!slot || colon == rest.npos || colon > kHostBytesMax) return std::nullopt;
  const std::optional<int> port = number_of(rest.substr(colon + 1), 1, 65535);
  if (!port) return std::nullopt;
  std::string host(rest.substr(0, colon));
  if (host.empty()) host = asked.host;
  return Redirection{
      .is_for_good = code == "MOVED", .slot = *slot, .place = {std::move(host), *port}};
}

}  // namespace kvasir::store::remote
