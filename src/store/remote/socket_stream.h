// A SocketStream is a ByteStream over TCP. Its socket never blocks and raises no signal. Other
// streams are built on what it does without waiting.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "store/remote/byte_stream.h"
#include "store/remote/host_addresses.h"

namespace kvasir::store::remote {

class SocketStream final : public ByteStream {
 public:
  // Tries one address after the other; each has its share of the time. `where` is what errors call
  // the other end.
  static Result<std::unique_ptr<SocketStream>> connect(const std::vector<SocketAddress>& addresses,
                                                       std::string where, Deadline deadline);
  ~SocketStream() override;

  Result<size_t> read_some(std::span<std::byte> into, Deadline deadline) override;
  Result<size_t> write_some(std::span<const std::byte> from, Deadline deadline) override;
  bool is_quiet() override;
  int descriptor() const override { return descriptor_; }

  const std::string& where() const { return where_; }
  // As recv() and send(): below 0 with errno EAGAIN where it would have to wait.
  ssize_t try_read(std::span<std::byte> into);
  ssize_t try_write(std::span<const std::byte> from);

  enum class Wait : uint8_t { kReadable, kWritable };
  // Error: kInterrupted, it is not so until the deadline.
  Status wait(Wait wanted, Deadline deadline);

 private:
  SocketStream(int descriptor, std::string where)
      : descriptor_(descriptor), where_(std::move(where)) {}
  Status open_to(const SocketAddress& address, Deadline deadline);

  int descriptor_;
  std::string where_;
};

// Which of these can be read first, by its index. None: none of them until the deadline.
std::optional<size_t> wait_for_any(std::span<const int> descriptors, Deadline deadline);

}  // namespace kvasir::store::remote
