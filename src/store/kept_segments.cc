#include "store/kept_segments.h"

#include <utility>

#include "base/system_error.h"

namespace kvasir::store {
namespace {

constexpr const char* kMoveAway = "move it elsewhere";

const char* name_of(FileKind kind) {
  switch (kind) {
    case FileKind::kFile:
      return "a file";
    case FileKind::kLink:
      return "a link";
    case FileKind::kDirectory:
      return "a directory";
    case FileKind::kOther:
      break;
  }
  return "a pipe, a socket or a device";
}

}  // namespace

std::optional<KeptSegment> kept_by_facts(const FileFacts& facts) {
  if (!facts.ok()) return kept_for_error(system_error("", "", facts.error));
  if (facts.kind == FileKind::kFile) return std::nullopt;
  return KeptSegment{.what = "has the name of a segment and is none",
                     .found = name_of(facts.kind),
                     .remedy = kMoveAway};
}

KeptSegment kept_for_owner(int64_t owner) {
  return {.what = "belongs to another user",
          .found = "user " + std::to_string(owner),
          .remedy = "give it to the user who runs this, or move it elsewhere",
          .is_read = true};
}

KeptSegment kept_for_error(const Error& error) {
  if (error.kind == ErrorKind::kUnsupported) {
    return {.what = error.what,
            .found = "format version " + error.found,
            .remedy = "use it with that version, or delete it"};
  }
  return {
      .what = "cannot be read", .found = error.found, .remedy = "make it readable, or delete it"};
}

KeptSegment kept_as_no_segment() {
  return {.what = "has the name of a segment and is none",
          .found = "a file with other contents",
          .remedy = kMoveAway};
}

std::vector<Error> notes_of(const KeptSegments& kept) {
  struct Group {
    int64_t count = 0;
    int64_t bytes = 0;
    KeptSegment first;
  };
  std::map<std::pair<std::string, std::string>, Group> groups;
  for (const auto& [number, one] : kept) {
    Group& group = groups[{one.what, one.found}];
    if (group.count++ == 0) group.first = one;
    group.bytes += one.bytes;
  }
  std::vector<Error> notes;
  for (const auto& [reason, group] : groups) {
    const std::string others =
        group.count == 1 ? "" : " and " + std::to_string(group.count - 1) + " more";
    notes.push_back(Error{.kind = ErrorKind::kUnsupported,
                          .what = group.first.what + ", kept as it is",
                          .where = group.first.path + others,
                          .found = group.first.found + ", " + std::to_string(group.bytes) +
                                   " bytes that count as the store's",
                          .remedy = group.first.remedy});
  }
  return notes;
}

}  // namespace kvasir::store
