// KeptSegments: files under a segment's name that this process may neither use as its own nor
// touch: what a later version wrote, what belongs to another user, what cannot be read, what is no
// segment at all. They take space, count as the store's, and are named to whoever opens it. Plain
// values.
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

// Null: nothing is known against it yet.
std::optional<KeptSegment> kept_by_facts(const FileFacts& facts);
// Of a file whose records are used and whose bytes are left alone.
KeptSegment kept_for_owner(int64_t owner);
KeptSegment kept_for_error(const Error& error);
KeptSegment kept_as_no_segment();

using KeptSegments = std::map<uint64_t, KeptSegment>;
// One for each reason.
std::vector<Error> notes_of(const KeptSegments& kept);

}  // namespace kvasir::store
