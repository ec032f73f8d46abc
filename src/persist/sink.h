// A Sink takes what the recorders of sequences hand over to be saved. It outlives them, and the
// thread that uses the sequences calls it.
#pragma once

#include <cstdint>
#include <vector>

#include "kv/block.h"
#include "kvasir/result.h"
#include "store/hold.h"
#include "store/key.h"

namespace kvasir::persist {

// A SaveJob is a record on its way to the store.
struct SaveJob {
  store::RecordId id;
  store::Key parent{};
  int64_t token_begin = 0;
  std::vector<int32_t> tokens;  // of a block
  kv::SealedBlock payload;      // a state's bytes are held alike
};

class Sink {
 public:
  virtual ~Sink() = default;

  // False: a block that is handed over is remembered only as long as a sequence holds it.
  virtual bool saves() const = 0;
  virtual void save(SaveJob job) = 0;
  // Allocates memory for a boundary state. Error: there is none.
  virtual Result<kv::Block> new_state() = 0;
  // Holds a key: while the Hold lives, its record and the blocks before it are not evicted.
  virtual store::Hold hold(const store::Key& key) = 0;
};

}  // namespace kvasir::persist
