// These functions put what `kvasir eval codecs` found into a file of measured quality, which
// `kvasir plan` reads.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "eval/codec_rank.h"
#include "kvasir/result.h"
#include "plan/quality.h"

namespace kvasir::cli {

// An Evaluated says what was measured besides the numbers.
struct Evaluated {
  std::string model_path;
  std::vector<plan::MeasuredText> texts;  // by names without folders
  std::string command;
};

// Error: the model is none that `kvasir plan` reads.
Result<plan::Measurement> measurement_of(const Evaluated& evaluated,
                                         const std::vector<eval::RankedCodec>& codecs);
// Adds it to the file, which is made where there is none. Errors: it is another kind of file; it
// cannot be written.
Status add_to_file(plan::Measurement measurement, const std::string& path);

}  // namespace kvasir::cli
