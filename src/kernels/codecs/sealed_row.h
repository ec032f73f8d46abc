// sealed_row_codec makes the Codec of a form: of a codec of complete blocks whose rows stand alone.
// A form is a type with nothing but static functions, so that forms that differ by a number are one
// template.
#pragma once

#include "kernels/codecs/codec.h"

namespace kvasir::kernels {

// A Form has, pure and for any width of at least 1,
//   int64_t bytes(int64_t width)
//   void encode(const float* row, int64_t width, std::byte* out)  finite row -> out [bytes]
//   void decode(const std::byte* in, int64_t width, float* row)   in [bytes] -> row [width]
template <class Form>
constexpr Codec sealed_row_codec(CodecId id, const char* name) {
  return sealed_codec(
      id, name, 1, [](const RowShape& shape) { return Form::bytes(shape.width); },
      [](const RowShape& shape, SideData, const float* row, std::byte* out) {
        Form::encode(row, shape.width, out);
      },
      [](const RowShape& shape, SideData, const std::byte* group, int64_t row_begin,
         int64_t row_end, float* rows) {
        const int64_t bytes = Form::bytes(shape.width);
        for (int64_t r = row_begin; r < row_end; ++r, rows += shape.width) {
          Form::decode(group + r * bytes, shape.width, rows);
        }
      });
}

}  // namespace kvasir::kernels
