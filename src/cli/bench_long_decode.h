// kvasir bench decode --geometry flash measures decoding behind very long contexts: the work on the
// cache alone, without matrix products.
#pragma once

#include <string>
#include <vector>

#include "cli/command_line.h"
#include "cli/model_options.h"
#include "kvasir/result.h"

namespace kvasir::cli {

struct LongDecodeFlags {
  std::string geometry = "model";
  std::string kv = "native";        // what --kv says
  std::vector<std::string> depths;  // token counts
  std::vector<std::string> ram;     // budgets, beside all rows in RAM
  // 0.9 gives about the shares that `kvasir bench rows` finds in the bundled model.
  std::vector<double> correlations = {0.9, 0};
  int64_t measured_tokens = 16;
  std::string directory;
  std::string csv_path;
  std::string svg_path;
  bool json = false;

  bool is_chosen() const { return geometry == "flash"; }
};

// --geometry, --ram, --correlation, --dir, --csv, --svg.
void add_long_decode_options(Command command, LongDecodeFlags& flags);

Status run_long_decode(const LongDecodeFlags& flags, const ModelFlags& model);

}  // namespace kvasir::cli
