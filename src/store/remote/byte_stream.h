// A ByteStream is a connection to an engine over which bytes go both ways. It owns its connection
// and closes it when it ends. No call waits beyond the deadline it is given. One thread at a time.
//
// Errors: kIo, the connection ended or broke; kInterrupted, the deadline came first. After either
// the stream is of no more use.
#pragma once

#include <cstddef>
#include <span>

#include "kvasir/result.h"
#include "store/remote/object_client.h"

namespace kvasir::store::remote {

class ByteStream {
 public:
  virtual ~ByteStream() = default;
  ByteStream() = default;
  ByteStream(const ByteStream&) = delete;
  ByteStream& operator=(const ByteStream&) = delete;

  // Reads what has arrived, at least one byte. What is there already is read even after the
  // deadline: one slow engine of several then takes nothing from the others.
  virtual Result<size_t> read_some(std::span<std::byte> into, Deadline deadline) = 0;
  // Writes what goes at once, at least one byte.
  virtual Result<size_t> write_some(std::span<const std::byte> from, Deadline deadline) = 0;
  // Whether it is open and nothing has arrived: an answer that nobody waits for is nobody's.
  virtual bool is_quiet() = 0;
  // What is polled to wait for several.
  virtual int descriptor() const = 0;
};

}  // namespace kvasir::store::remote
