// Calibrations as files. docs/calibration.md says what each byte is. Any thread.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "calibration/calibration.h"
#include "kvasir/result.h"

namespace kvasir::calibration {

std::vector<std::byte> to_bytes(const Calibration& calibration);

// The file is there as a whole or, after an error, as it was before. It is written beside its place
// first, as PATH.new.
Status write_calibration(const Calibration& calibration, const std::string& path);

// path: for messages. Errors: damaged, of a newer version, larger than its limits.
Result<Calibration> parse_calibration(std::span<const std::byte> bytes, const std::string& path);

// Errors: the same; unreadable.
Result<Calibration> load_calibration(const std::string& path);

}  // namespace kvasir::calibration
