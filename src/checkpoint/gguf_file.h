// A model in GGUF files: one, or several that each hold a part of its tensors. Any of them leads to
// the others, which lie beside it under names that its writers number: NAME-00002-of-00003.gguf.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "checkpoint/gguf.h"
#include "checkpoint/mapped_file.h"
#include "kvasir/result.h"

namespace kvasir {

struct GgufPart {
  std::unique_ptr<MappedFile> file;
  GgufHead head;
};

struct GgufFile {
  std::vector<GgufPart> parts;         // in order; the first says what the model is
  std::vector<std::string> missing;    // names of parts that are not there
  std::vector<std::string> cut_short;  // parts that end before their tensors do

  // Of the first part.
  const std::string& path() const { return parts.front().file->path(); }
  // The keys of the first part, which loses them, and the tensors of all.
  GgufHead take_joined_head();
};

// Errors: as GgufHead::parse, of each part; the first part is missing; parts of different models.
Result<GgufFile> read_gguf_file(const std::string& path);

// The one model in GGUF files that a directory holds: the path of one of its parts. What goes with
// a model (projectors, adapters) is none. Errors: there is none, there are several.
Result<std::string> find_gguf_in(const std::string& directory);

}  // namespace kvasir
