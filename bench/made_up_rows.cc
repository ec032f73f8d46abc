#include "bench/made_up_rows.h"

#include <algorithm>
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
  const auto rows =
      std::find_if(geometry_.layers.begin(), geometry_.layers.end(),
                   [](const model::deepseek_v4::LayerStreams& layer) { return layer.rows >= 0; });
  const kernels::RowFormat& format = layout.streams[static_cast<size_t>(rows->rows)].format;
  row_bytes_ = format.bytes();
  std::vector<float> source(static_cast<size_t>(format.dim));
  const auto draw = [&] {
    for (float& value : source) value = normal(random_);
  };
  rows_.resize(static_cast<size_t>(kPoolRows * row_bytes_));
  for (int64_t row = 0; row < kPoolRows; ++row) {
    draw();
    table.encode_row(format, source.data(), rows_.data() + row * row_bytes_);
  }
  draw();
  key_.resize(static_cast<size_t>(geometry_.key.bytes()));
  table.encode_row(geometry_.key, source.data(), key_.data());
}

void MadeUpRows::write(kv::Sequence& sequence, int64_t begin, int64_t end) {
  for_each_new_row(layout_, begin, end, [&](int64_t stream, int64_t row) {
    std::byte* target = sequence.writable_row(stream, row);
    const kv::Role role = layout_.streams[static_cast<size_t>(stream)].spec.role;
    if (role == kv::Role::kIndexKeys) return write_key(target);
    std::memcpy(target, rows_.data() + random_.below(kPoolRows) * row_bytes_,
                static_cast<size_t>(row_bytes_));
  });
}

// Any codes are a key; of numbers that are not coded its signs are enough.
void MadeUpRows::write_key(std::byte* key) {
  std::memcpy(key, key_.data(), key_.size());
  switch (geometry_.key.codec) {
    case kernels::CodecId::kFp4:
      return fill_random(random_, {key, static_cast<size_t>(geometry_.key.dim / 2)});
    case kernels::CodecId::kInt2Keys:
      return fill_random(random_, {key, static_cast<size_t>(geometry_.key.dim / 4)});
    case kernels::CodecId::kSignKeys:
      return fill_random(random_, {key, static_cast<size_t>(geometry_.key.dim / 8)});
    default: {
      const size_t number_bytes = key_.size() / static_cast<size_t>(geometry_.key.dim);
      for (size_t i = number_bytes - 1; i < key_.size(); i += number_bytes) {
        key[i] ^= std::byte{static_cast<uint8_t>(random_.below(2) << 7)};
      }
    }
  }
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
