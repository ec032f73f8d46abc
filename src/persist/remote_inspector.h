// A RemoteInspector finds out what lies at an engine, object by object, from the bytes alone: it
// does not know which texts were written there.
//
// Whatever the secret of whoever wrote it, a record says what it is: its header has a checksum, its
// payload a digest, and its key is the hash of its parent and its tokens. Only the name of an
// object depends on the secret. So a sound record under another name is somebody else's; a record
// that contradicts itself is nobody's. Sealed objects show nothing without the secret: those that
// it does not open are taken for others'.
//
// It uses a client that its owner keeps, and is used by one thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "kvasir/result.h"
#include "store/record.h"
#include "store/remote/envelope.h"
#include "store/remote/object_client.h"
#include "store/remote/object_names.h"

namespace kvasir::persist {

enum class Verdict : uint8_t {
  kGone,  // it is not there any more
  kRight,
  kForeign,
  kWrong,
  kUnreadable,  // the engine says to have it, and fails to read it: it may be whole later
};

struct InspectedObject {
  store::remote::ListedObject object;
  Verdict verdict = Verdict::kGone;
  std::string expected;  // of a wrong one
  std::string found;
  std::vector<store::RecordInfo> records;  // of a right one, in their order
};

class RemoteInspector {
 public:
  enum class Depth : uint8_t {
    kFirst,    // only which record an object begins with; names of packs are not checked
    kHeaders,  // which records lie there: reads no more than it must
    kBytes,    // reads and checks all
  };

  RemoteInspector(store::remote::ObjectClient& client, const store::remote::ObjectNames& names,
                  const store::remote::Envelope& envelope)
      : client_(&client), names_(&names), envelope_(&envelope) {}

  // Error: the engine does not answer, or there is no memory for an object (kNoMemory).
  Result<std::vector<InspectedObject>> inspect(std::span<const store::remote::ListedObject> objects,
                                               Depth depth);

 private:
  Status read(std::span<store::remote::ObjectRead> reads);
  Status read_batch(std::span<InspectedObject* const> batch, Depth depth, int64_t bytes);
  Status walk_pack(InspectedObject& pack, Depth depth);
  void judge(InspectedObject& one, std::span<std::byte> bytes, Depth depth) const;
  void judge_sealed(InspectedObject& one, std::span<std::byte> bytes) const;

  store::remote::ObjectClient* client_;
  const store::remote::ObjectNames* names_;
  const store::remote::Envelope* envelope_;
};

}  // namespace kvasir::persist
