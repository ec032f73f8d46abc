// An OwnCache holds the config of a model whose cache Kvasir lays out itself. A plain value.
#pragma once

#include "model/deepseek_v4/config.h"

namespace kvasir::plan {

struct OwnCache {
  model::deepseek_v4::Config config;
  model::deepseek_v4::Config with_draft;  // the layers of its draft model behind the others
};

}  // namespace kvasir::plan
