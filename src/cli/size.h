// These functions read and write sizes in bytes as people do: 600M, 16GB, 4GiB, 1.5G. K, M, G, T,
// with or without B, are powers of 1000; KiB, MiB, GiB, TiB are powers of 1024.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kvasir::cli {

// Null: not a size, or beyond int64.
std::optional<int64_t> parse_size_bytes(std::string_view text);

// Token counts as people write them: 100000, 64k, 1M; k and M are 1024 and 1024 x 1024. Null: not
// one, or beyond 2^40.
std::optional<int64_t> parse_token_count(std::string_view text);
// The same as a check for options.
std::string is_token_count(const std::string& text);

// "16.0 GiB", "512 B": for people.
std::string size_text(int64_t bytes);

// A check for options: empty when it is a size.
std::string is_size(const std::string& text);

}  // namespace kvasir::cli
