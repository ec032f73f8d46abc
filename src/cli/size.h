// Sizes in bytes as people write them: 600M, 16GB, 4GiB, 1.5G. K, M, G, T with or without B are
// powers of 1000; KiB, MiB, GiB, TiB powers of 1024.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kvasir::cli {

// Null: not a size, or beyond int64.
std::optional<int64_t> parse_size_bytes(std::string_view text);

// "16.0 GiB", "512 B": for people.
std::string size_text(int64_t bytes);

// A check for options: empty when it is a size.
std::string is_size(const std::string& text);

}  // namespace kvasir::cli
