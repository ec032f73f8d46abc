// HostAddresses finds the addresses of a host without waiting longer than it may: the system's
// function for it has no deadline. A thread asks it; whoever cannot wait that long finds the answer
// there the next time. Known addresses are used at once and asked for anew when they are old.
//
// The thread ends by itself and touches nothing but what it shares with this object. One thread at
// a time.
#pragma once

#include <sys/socket.h>

#include <memory>
#include <string>
#include <vector>

#include "kvasir/result.h"
#include "store/remote/object_client.h"
#include "store/remote/remote_url.h"

namespace kvasir::store::remote {

struct SocketAddress {
  sockaddr_storage bytes{};
  socklen_t size = 0;
};

class HostAddresses {
 public:
  explicit HostAddresses(HostPort place);
  ~HostAddresses();

  const HostPort& place() const { return place_; }
  // "host:port"
  std::string where() const;
  // At least one. Error: there is no such host (kIo: a name server may know it later), or its
  // addresses are not known by then (kInterrupted).
  Result<std::vector<SocketAddress>> get(Deadline deadline);

 private:
  struct Question;

  HostPort place_;
  std::vector<SocketAddress> known_;
  Clock::time_point known_since_;
  std::shared_ptr<Question> question_;  // null: nobody asks
};

}  // namespace kvasir::store::remote
