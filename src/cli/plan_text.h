// Numbers as `kvasir plan` writes them. KiB, MiB, GiB are powers of 1024, kB, MB, GB of 1000; which
// is meant is always written.
#pragma once

#include <cstdint>
#include <string>

namespace kvasir::cli {

std::string with_commas(int64_t number);
std::string binary_text(int64_t bytes);   // "3.435 GiB"
std::string decimal_text(int64_t bytes);  // "3.688 GB"
std::string token_text(int64_t tokens);   // "64k", "1M", "1,000,000"
std::string rate_text(double bytes_per_token);
// Within 80 columns, of which lines after the first leave `indent` free, as the first is to do.
std::string wrapped(const std::string& text, size_t indent);

}  // namespace kvasir::cli
