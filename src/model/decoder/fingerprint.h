// A fingerprint is a name of all that a decoder's cache depends on besides tokens and options.
#pragma once

#include "base/digest.h"
#include "checkpoint/tensor_directory.h"
#include "model/decoder/config.h"

namespace kvasir::model::decoder {

// It takes as long as reading what it hashes.
Digest256 fingerprint_of(const Config& config, const TensorDirectory& tensors);

}  // namespace kvasir::model::decoder
