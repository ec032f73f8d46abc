// open_store() opens a store's directory as its options say.
#pragma once

#include <memory>

#include "kvasir/result.h"
#include "kvasir/store.h"
#include "store/directory.h"

namespace kvasir::persist {

// IfNotWritable says what to do with a store that cannot be written: another process writes it, its
// device is read-only, or another user owns it.
enum class IfNotWritable : uint8_t { kFail, kReadOnly };

// Error: the directory cannot be made, read or (IfNotWritable::kFail) written; an option out of
// range.
Result<std::unique_ptr<store::StoreDirectory>> open_store(const StoreOptions& options,
                                                          IfNotWritable if_not_writable);

}  // namespace kvasir::persist
