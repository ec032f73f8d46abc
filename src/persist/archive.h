// An archive carries one conversation to another machine, in a file of its own. It is a segment
// file (number 0) with the blocks from the first token on and the states between them.
//
// Both functions work on an open store and keep nothing. One thread calls them.
#pragma once

#include <string>

#include "kvasir/result.h"
#include "kvasir/store_admin.h"
#include "store/block_store.h"

namespace kvasir::persist {

// Writes the chain that ends in last_block to a new file. Error: the file exists or cannot be
// written, or a block of the chain is missing.
Result<ImportReport> export_chain(store::BlockStore& store, const store::Key& last_block,
                                  store::FileSystem& files, const std::string& path);

// Takes an archive into the store, after all of it was found to be sound: digests, footer, keys and
// lengths. A key must follow from its parent and its tokens. A length must be that of the other
// records of its kind, in the file and in the store under the same root key. If all lengths are
// wrong alike, whoever reads the records with the model finds them damaged. Error: the file is not
// sound (kDamaged) or cannot be read, or the store cannot be written or has no room.
Result<ImportReport> import_archive(store::BlockStore& store, store::FileSystem& files,
                                    const std::string& path);

}  // namespace kvasir::persist
