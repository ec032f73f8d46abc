// Where sums of byte products are kept in 16 bits, every key goes group by group. Included in place
// of index_score_folded-inl.h.

namespace kvasir::kernels::KVASIR_ISA {
namespace {

KVASIR_INLINE void fold_query(const KeyFormat&, int64_t, uint8_t*) {}

struct FoldedKeys {};

KVASIR_INLINE bool fold_block(const IndexScoreArgs&, const uint8_t* const*, FoldedKeys&) {
  return false;
}
KVASIR_INLINE void score_folded_block(const IndexScoreArgs&, const FoldedKeys&, Vec*) {}

}  // namespace
}  // namespace kvasir::kernels::KVASIR_ISA
