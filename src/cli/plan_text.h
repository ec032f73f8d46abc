// These functions write numbers as `kvasir plan` does. KiB, MiB, GiB are powers of 1024; kB, MB, GB
// are powers of 1000. The unit is always written.
#pragma once

#include <cstdint>
#include <string>

namespace kvasir::cli {

std::string with_commas(int64_t number);
std::string binary_text(int64_t bytes);   // "3.435 GiB"
std::string decimal_text(int64_t bytes);  // "3.688 GB"
std::string token_text(int64_t tokens);   // "64k", "1M", "1,000,000"
std::string rate_text(double bytes_per_token);
// Breaks a text into lines of at most 80 columns. Every line but the first begins with `indent`
// spaces; the caller has already written as many columns of the first.
std::string wrapped(const std::string& text, size_t indent);

}  // namespace kvasir::cli
