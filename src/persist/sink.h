// Sink: where the recorders of sequences hand over what is to be saved.
#pragma once

#include <cstdint>
#include <vector>

#include "kv/block.h"
#include "kvasir/result.h"
#include "store/block_store.h"
#include "store/key.h"

namespace kvasir::persist {

// A record on its way to the store.
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

  // False: what is handed over is only remembered as long as a sequence holds it.
  virtual bool saves() const = 0;
  virtual void save(SaveJob job) = 0;
  // Memory for a boundary state. Error: there is none.
  virtual Result<kv::Block> new_state() = 0;
  // As long as it lives, the record of that key is not evicted, nor what it hangs on.
  virtual store::Hold hold(const store::Key& key) = 0;
};

}  // namespace kvasir::persist
