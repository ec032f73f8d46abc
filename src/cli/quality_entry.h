// These functions put what `kvasir eval codecs` and `eval recall` found into a file of measured
// quality, which `kvasir plan` reads.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "eval/codec_rank.h"
#include "eval/recall.h"
#include "kvasir/result.h"
#include "plan/quality.h"

namespace kvasir::cli {

// A CommandText is what makes the same numbers again: files by names without folders, and no number
// that goes without saying.
class CommandText {
 public:
  explicit CommandText(std::string command) : text_(std::move(command)) {}

  void add_file(const char* flag, const std::string& path);  // not where it is empty
  template <class Number>
  void add_number(const char* flag, Number value, Number usual) {
    if (value != usual) text_ += std::string(" ") + flag + " " + std::to_string(value);
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

std::string name_without_folder(const std::string& path);

// An Evaluated says what was measured besides the numbers.
struct Evaluated {
  std::string model_path;
  std::vector<plan::MeasuredText> texts;  // by names without folders
  std::string command;
};

// Error: the model is none that `kvasir plan` reads.
Result<plan::Measurement> measurement_of(const Evaluated& evaluated,
                                         const std::vector<eval::RankedCodec>& codecs);
// What all runs that are precisions, and hide no rows, have at the place `length` of the lengths;
// evaluated.texts is made of that. bits: of a value, by run. Error: too few questions, or as above.
Result<plan::Measurement> recall_measurement_of(Evaluated evaluated,
                                                const std::vector<eval::RecallRow>& rows,
                                                const std::vector<double>& bits, size_t length);
// Adds it to the file, which is made where there is none. Errors: it is another kind of file; it
// cannot be written.
Status add_to_file(plan::Measurement measurement, const std::string& path);

}  // namespace kvasir::cli
