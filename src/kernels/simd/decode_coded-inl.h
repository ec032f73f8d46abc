// Reading coded rows of a block, value for value like the scalar codecs. Included once per
// instruction set.

namespace kvasir::kernels::KVASIR_ISA {
namespace {

void decode_coded(const CodedRows& form, const std::byte* coded, float* decoded) {
  kernels::decode_coded(form, coded, decoded);
}

}  // namespace
}  // namespace kvasir::kernels::KVASIR_ISA
