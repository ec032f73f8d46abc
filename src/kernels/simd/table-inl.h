// This file fills the entries of the kernel table. Included once per instruction set.

namespace kvasir::kernels::KVASIR_ISA {
namespace {

constexpr KernelTable make_table(const char* name) {
  return {
      .name = name,
      .matmul = matmul,
      .round_activations = round_activations,
      .integer_matmul = integer_matmul,
      .rms_norm = rms_norm,
      .layer_norm = layer_norm,
      .inverse_rms = inverse_rms,
      .rope = rope,
      .rope_halves = rope_halves,
      .hadamard = hadamard,
      .activate = activate,
      .pool = pool,
      .attend = attend,
      .attend_coded = attend_coded,
      .join_attended = join_attended,
      .finish_attended = finish_attended,
      .encode_index_query = encode_index_query,
      .index_score = index_score,
      .encode_row = encode_row,
      .decode_rows = decode_rows,
      .decode_coded = decode_coded,
      .hyper_mix = hyper_mix,
      .hyper_collapse = hyper_collapse,
      .hyper_expand = hyper_expand,
  };
}

}  // namespace
}  // namespace kvasir::kernels::KVASIR_ISA
