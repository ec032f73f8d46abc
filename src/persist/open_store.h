// Opening a store directory as its options say.
#pragma once

#include <memory>

#include "kvasir/result.h"
#include "kvasir/store.h"
#include "store/directory.h"

namespace kvasir::persist {

// What becomes of a store for writing that cannot be written: another process writes it, it lies on
// a read-only device, it is another user's.
enum class IfNotWritable : uint8_t { kFail, kReadOnly };

// Error: the directory cannot be made, read or (IfNotWritable::kFail) written; an option out of
// range.
Result<std::unique_ptr<store::StoreDirectory>> open_store(const StoreOptions& options,
                                                          IfNotWritable if_not_writable);

}  // namespace kvasir::persist
