#include "bench/made_up_rows.h"

#include <cmath>
#include <cstring>

#include "bench/flash_cache.h"

namespace kvasir::bench {
namespace {

constexpr int64_t kPoolRows = 1024;

}  // namespace

float normal(Random& random) {
  float sum = -6;
  for (int i = 0; i < 12; ++i) sum += static_cast<float>(random.unit());
  return sum;
}

MadeUpRows::MadeUpRows(const kv::CacheLayout& layout, const kernels::KernelTable& table)
    : layout_(layout), geometry_(model::deepseek_v4::geometry_of(layout)) {
  const int64_t row_bytes = geometry_.row.bytes();
  std::vector<float> source(static_cast<size_t>(geometry_.row.dim));
  rows_.resize(static_cast<size_t>(kPoolRows * row_bytes));
  for (int64_t row = 0; row < kPoolRows; ++row) {
    for (float& value : source) value = normal(random_);
    table.encode_row(geometry_.row, source.data(), rows_.data() + row * row_bytes);
  }
}

void MadeUpRows::write(kv::Sequence& sequence, int64_t begin, int64_t end) {
  const int64_t row_bytes = geometry_.row.bytes();
  for_each_new_row(layout_, begin, end, [&](int64_t stream, int64_t row) {
    std::byte* target = sequence.writable_row(stream, row);
    const kv::Role role = layout_.streams[static_cast<size_t>(stream)].spec.role;
    if (role == kv::Role::kIndexKeys) return write_key(target);
    std::memcpy(target, rows_.data() + random_.below(kPoolRows) * row_bytes,
                static_cast<size_t>(row_bytes));
  });
}

// Any codes are a key; the scales are those of values around 1.
void MadeUpRows::write_key(std::byte* key) {
  const int64_t code_bytes = geometry_.key.dim / 2;
  fill_random(random_, {key, static_cast<size_t>(code_bytes)});
  std::memset(key + code_bytes, 126, static_cast<size_t>(geometry_.key.bytes() - code_bytes));
}

MadeUpQueries::MadeUpQueries(const model::deepseek_v4::Geometry& geometry, double correlation)
    : lasting_share_(static_cast<float>(std::sqrt(correlation))),
      fresh_share_(static_cast<float>(std::sqrt(1 - correlation))),
      lasting_(geometry.layers.size()),
      query_(static_cast<size_t>(kFlashIndexHeads * geometry.key.dim)) {}

std::span<const float> MadeUpQueries::next(int64_t layer) {
  std::vector<float>& lasting = lasting_[static_cast<size_t>(layer)];
  if (lasting.empty()) {
    lasting.resize(query_.size());
    for (float& value : lasting) value = normal(random_);
  }
  for (size_t i = 0; i < query_.size(); ++i) {
    query_[i] = lasting_share_ * lasting[i] + fresh_share_ * normal(random_);
  }
  return query_;
}

}  // namespace kvasir::bench
