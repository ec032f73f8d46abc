// Archive: one conversation in a file of its own, for another machine. It is a segment file (number
// 0) with the blocks from the first token on and the states between them.
#pragma once

#include <string>

#include "kvasir/result.h"
#include "kvasir/store_admin.h"
#include "store/block_store.h"

namespace kvasir::persist {

// Error: the file exists or cannot be written, a block of the chain is missing.
Result<ImportReport> export_chain(store::BlockStore& store, const store::Key& last_block,
                                  store::FileSystem& files, const std::string& path);

// Nothing is taken in before all of the file was found to be sound: digests, footer, every key,
// which must follow from its parent and its tokens, and every length, which must be that of the
// other records of its kind, in the file and in the store under the same root key. A length that
// all of them have wrongly is damage to whoever reads them with the model.
Result<ImportReport> import_archive(store::BlockStore& store, store::FileSystem& files,
                                    const std::string& path);

}  // namespace kvasir::persist
