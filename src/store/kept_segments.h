// KeptSegments are files under a segment's name that this process never writes, shortens or
// deletes.
//
// A file is kept if another version wrote it, another user owns it, it cannot be read, or it is no
// segment at all. Kept files take space within the budget, and a note names them to whoever opens
// the store. Plain values.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "kvasir/result.h"
#include "store/file_system.h"
#include "store/segment.h"

namespace kvasir::store {

struct KeptSegment {
  std::string what;    // "written by another version of Kvasir"
  std::string found;   // more of it: a version, a user, what the system said
  std::string remedy;  // what a person can do
  std::string path;
  int64_t bytes = 0;
  bool is_read = false;  // its records are used all the same
};

// Returns why a file of these facts is kept. Null: nothing speaks against using it.
std::optional<KeptSegment> kept_by_facts(const FileFacts& facts);
// Another user owns the file: its records are used, and its bytes are left alone.
KeptSegment kept_for_owner(int64_t owner);
KeptSegment kept_for_error(const Error& error);
KeptSegment kept_as_no_segment();

using KeptSegments = std::map<uint64_t, KeptSegment>;
// Returns one note for each reason.
std::vector<Error> notes_of(const KeptSegments& kept);

}  // namespace kvasir::store
