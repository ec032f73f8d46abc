// This file stands in for index_score_folded-inl.h where sums of byte products are kept in 16 bits.
// There every key goes group by group.

namespace kvasir::kernels::KVASIR_ISA {
namespace {

KVASIR_INLINE void fold_query(const RowFormat&, int64_t, uint8_t*) {}

struct FoldedQuery {};
struct FoldedKeys {};

KVASIR_INLINE FoldedQuery folded_query(const IndexScoreArgs&) { return {}; }
KVASIR_INLINE bool begin_folding(const FoldedQuery&, const uint8_t* const*, FoldedKeys&) {
  return false;
}
KVASIR_INLINE void unpack_key(int64_t, int64_t, FoldedKeys&) {}
KVASIR_INLINE FourFloats score_folded_block(const FoldedQuery&, const FoldedKeys&, FoldedKeys*) {
  return FourFloats{};
}

}  // namespace
}  // namespace kvasir::kernels::KVASIR_ISA
