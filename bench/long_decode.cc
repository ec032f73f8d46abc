#include "bench/long_decode.h"

#include "base/process_memory.h"
#include "bench/cache_decoder.h"
#include "bench/flash_cache.h"
#include "bench/made_up_rows.h"
#include "persist/residency.h"
#include "store/block_store.h"

namespace kvasir::bench {

Result<LongContext> LongContext::create(const std::string& directory, std::string_view precision,
                                        int64_t context_tokens, int64_t ram_bytes,
                                        const kernels::InstructionSet& instruction_set) {
  KVASIR_ASSIGN_OR_RETURN(const auto layout, flash_layout_in(precision));
  KVASIR_ASSIGN_OR_RETURN(ScratchFolder folder, ScratchFolder::create(directory));
  LongContext context(std::move(folder), layout);
  const auto account = std::make_shared<kv::MemoryAccount>();
  KVASIR_ASSIGN_OR_RETURN(
      auto persistence, open_flash_persistence(context.folder_.path(), layout, account, ram_bytes));
  MadeUpRows rows(*layout, instruction_set.table);
  Random random(7);
  KVASIR_ASSIGN_OR_RETURN(persist::Resumed live,
                          persistence->resume(persistence->root_of(""), {}, 0));
  std::vector<int32_t> tokens(kv::kBlockTokens);
  while (context.context_tokens() + kv::kBlockTokens <= context_tokens) {
    draw_tokens(random, tokens);
    KVASIR_RETURN_IF_ERROR(append_pass(*persistence, live, tokens, [&](int64_t begin, int64_t end) {
      rows.write(live.sequence, begin, end);
      return ok_status();
    }));
    context.tokens_.insert(context.tokens_.end(), tokens.begin(), tokens.end());
  }
  live.recorder.mark_resumable();
  persistence->drain();
  if (auto error = persistence->take_error()) return std::move(*error);
  KVASIR_RETURN_IF_ERROR(persistence->store().sync());
  if (persistence->residency() != nullptr) {
    context.ram_bytes_min_ = persistence->residency()->bytes_min(context.context_tokens());
  }
  return context;
}

Result<LongDecode> LongContext::measure(const LongDecodeOptions& options) const {
  forget_rss_peak();
  const auto account = std::make_shared<kv::MemoryAccount>();
  KVASIR_ASSIGN_OR_RETURN(auto persistence, open_flash_persistence(folder_.path(), layout_, account,
                                                                   options.ram_bytes));
  KVASIR_ASSIGN_OR_RETURN(persist::Resumed live,
                          persistence->resume(persistence->root_of(""), tokens_, context_tokens()));
  if (live.sequence.length() != context_tokens()) {
    return Error{
        .kind = ErrorKind::kIo, .what = "the context was not found whole", .where = folder_.path()};
  }
  persist::Residency* residency = persistence->residency();
  MadeUpRows rows(*layout_, options.instruction_set->table);
  const int64_t steps = options.warmup_tokens + options.measured_tokens;
  CacheDecoder decoder(options, *layout_, context_tokens() + steps,
                       residency != nullptr ? residency->rows() : nullptr);
  Random random(11);
  int64_t read_bytes_before = 0;
  for (int64_t step = 0; step < steps; ++step) {
    if (step == options.warmup_tokens) {
      decoder.begin_measuring();
      read_bytes_before = persistence->metrics()[StoreMetric::kPieceReadBytes];
    }
    int32_t token = 0;
    draw_tokens(random, {&token, 1});
    KVASIR_RETURN_IF_ERROR(
        append_pass(*persistence, live, {&token, 1}, [&](int64_t begin, int64_t end) {
          rows.write(live.sequence, begin, end);
          return decoder.step(live.sequence, token);
        }));
    decoder.measure_byte_rate();
  }
  LongDecode result = decoder.result(options.measured_tokens);
  result.context_tokens = context_tokens();
  result.read_bytes = static_cast<double>(persistence->metrics()[StoreMetric::kPieceReadBytes] -
                                          read_bytes_before) /
                      static_cast<double>(options.measured_tokens);
  result.kv_bytes = account->allocated_bytes();
  result.rss_peak_bytes = rss_peak_bytes();
  return result;
}

}  // namespace kvasir::bench
