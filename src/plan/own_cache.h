// An OwnCache holds the config of a model whose cache Kvasir lays out itself, an OwnDecoder that of
// a checkpoint whose passes it sizes. Plain values.
#pragma once

#include "model/decoder/config.h"
#include "model/deepseek_v4/config.h"

namespace kvasir::plan {

struct OwnCache {
  model::deepseek_v4::Config config;
  model::deepseek_v4::Config with_draft;  // the layers of its draft model behind the others
};

struct OwnDecoder {
  model::decoder::Config config;  // as the checkpoint's tensors complete it
};

}  // namespace kvasir::plan
