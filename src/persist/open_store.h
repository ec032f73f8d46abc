// Opening a store directory as its options say.
#pragma once

#include <memory>

#include "kvasir/result.h"
#include "kvasir/store.h"
#include "store/directory.h"

namespace kvasir::persist {

enum class IfLocked : uint8_t { kFail, kReadOnly };

// Error: the directory cannot be made, read or (IfLocked::kFail) locked; an option out of range.
Result<std::unique_ptr<store::StoreDirectory>> open_store(const StoreOptions& options,
                                                          IfLocked if_locked);

}  // namespace kvasir::persist
