// What a RemoteAdmin is made of: for tests, which give it an engine of their own.
#pragma once

#include <memory>

#include "kvasir/remote_admin.h"
#include "persist/remote_engine.h"

namespace kvasir {

struct RemoteAdmin::State {
  std::unique_ptr<persist::RemoteEngine> engine;
};

}  // namespace kvasir
