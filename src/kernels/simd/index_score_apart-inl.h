// index_score where each token goes over the keys alone. Included behind index_score-inl.h.

namespace kvasir::kernels::KVASIR_ISA {
namespace {

void index_score(const IndexScoreArgs& args) {
  if (args.key_count > 0) score_queries_apart(args);
}

}  // namespace
}  // namespace kvasir::kernels::KVASIR_ISA
