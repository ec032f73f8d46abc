#include "model/decoder/index_workspace.h"

#include <string>

#include "kernels/kernels.h"

namespace kvasir::model::decoder {
namespace {

constexpr int64_t kLengthGrowth = 2;

}  // namespace

IndexWorkspace::IndexWorkspace(const IndexerConfig& config, const kernels::RowFormat& key_format,
                               int64_t token_capacity, int thread_count)
    : top_k_(config.top_k) {
  size_buffers(config, key_format, token_capacity, thread_count,
               [this]<class T>(AlignedBuffer<T>& buffer, int64_t count) {
                 buffer = AlignedBuffer<T>(count);
                 failed = failed || buffer.failed();
               });
}

int64_t IndexWorkspace::bytes_for(const IndexerConfig& config, const kernels::RowFormat& key_format,
                                  int64_t token_capacity, int thread_count) {
  int64_t bytes = 0;
  IndexWorkspace none;
  none.size_buffers(config, key_format, token_capacity, thread_count,
                    [&bytes]<class T>(AlignedBuffer<T>&, int64_t count) {
                      bytes += count * static_cast<int64_t>(sizeof(T));
                    });
  return bytes;
}

// allocate(buffer, count) for each buffer.
template <class Allocate>
void IndexWorkspace::size_buffers(const IndexerConfig& config, const kernels::RowFormat& key_format,
                                  int64_t token_capacity, int thread_count,
                                  const Allocate& allocate) {
  if (config.top_k == 0) return;
  const int64_t n = token_capacity;
  allocate(query, n * config.head_count * config.head_dim);
  allocate(key, n * config.head_dim);
  allocate(head_weights, n * config.head_count);
  allocate(picked, n * config.top_k);
  allocate(picked_count, n);
  allocate(picked_places, n * config.top_k);
  for (int thread = 0; thread < thread_count; ++thread) {
    allocate(encoded_queries.emplace_back(),
             kernels::index_query_bytes(key_format, config.head_count));
    allocate(row_lists.emplace_back(), config.top_k);
  }
  scores.resize(static_cast<size_t>(thread_count));
}

Status IndexWorkspace::reserve_length(int64_t length_max) {
  for (AlignedBuffer<float>& buffer : scores) {
    if (buffer.size() >= length_max) continue;
    buffer = AlignedBuffer<float>(kLengthGrowth * length_max);
    if (!buffer.failed()) continue;
    buffer = {};
    return Error{.kind = ErrorKind::kNoMemory,
                 .what = "not enough memory for a context of this length",
                 .found = std::to_string(length_max) + " tokens"};
  }
  return ok_status();
}

ops::Picks IndexWorkspace::picks(int64_t token_count) {
  return {.rows = ops::view_of(picked, token_count, top_k_),
          .counts = picked_count.data(),
          .places = ops::view_of(picked_places, token_count, top_k_)};
}

}  // namespace kvasir::model::decoder
