// RenderedSizes remembers what beginnings of conversations are when they are rendered by
// themselves, so that of a conversation that grows only the new turns are rendered again. It keeps
// their sizes and digests, and forgets all when they are too many. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string_view>

#include "base/digest.h"

namespace kvasir::text {

class RenderedSizes {
 public:
  struct Rendered {
    size_t bytes = 0;
    uint64_t digest = 0;
    bool begins(std::string_view whole) const;
  };

  // key: names the beginning and how it is rendered.
  std::optional<Rendered> find(const Digest256& key) const;
  Rendered add(const Digest256& key, std::string_view text);

 private:
  mutable std::mutex mutex_;
  std::map<Digest256, Rendered> rendered_;
};

}  // namespace kvasir::text
