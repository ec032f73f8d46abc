// find_checkpoint says which files a model is read from, so that its config and its tensors come
// from the same ones.
#pragma once

#include <cstdint>
#include <string>

#include "kvasir/result.h"

namespace kvasir {

enum class CheckpointForm : uint8_t {
  kSafetensors,  // config.json and safetensors files in one directory
  kGguf,         // a GGUF file, or the parts of one
};

struct CheckpointPlace {
  CheckpointForm form = CheckpointForm::kSafetensors;
  std::string path;  // the directory, or the GGUF file or one of its parts
};

// `path` is a directory or a GGUF file, which may be a part of one. In a directory with both forms
// the safetensors count; one with neither is returned as theirs, and whoever reads a file of it
// finds that missing. Error: a directory of several GGUF models.
Result<CheckpointPlace> find_checkpoint(const std::string& path);

}  // namespace kvasir
