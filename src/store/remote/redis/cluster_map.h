// A ClusterMap says which server of a cluster has which slot, as CLUSTER SLOTS tells it. A plain
// value.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kvasir/result.h"
#include "store/remote/redis/resp_reader.h"
#include "store/remote/remote_url.h"

namespace kvasir::store::remote {

inline constexpr int kSlots = 16384;

class ClusterMap {
 public:
  // What CLUSTER SLOTS answered; `asked` is who did: servers may leave their own host out. Error
  // (kDamaged): it is no such answer.
  static Result<ClusterMap> read(const RespValue& answer, const HostPort& asked);
  static RespLimits limits();

  // Null: no server has this slot.
  const HostPort* owner(int slot) const;
  void set_owner(int slot, const HostPort& place);
  // Those that own slots.
  const std::vector<HostPort>& places() const { return places_; }

 private:
  int16_t index_of(const HostPort& place);

  std::vector<HostPort> places_;
  std::array<int16_t, kSlots> owners_;  // index into places_; -1: none
};

// Where a command has to go instead: of "MOVED 3999 127.0.0.1:6381" and "ASK ...".
struct Redirection {
  bool is_for_good = false;  // MOVED
  int slot = 0;
  HostPort place;
};
std::optional<Redirection> redirection_of(const RespValue& answer, const HostPort& asked);

}  // namespace kvasir::store::remote
