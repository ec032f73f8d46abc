// row_format_codec makes the Codec of a form: of a row format that codes every vector of a row
// alone. A form is a type with nothing but static functions.
#pragma once

#include "kernels/codecs/codec.h"

namespace kvasir::kernels {

// A Form has, pure and for any shape with at least one number,
//   int64_t bytes(const RowShape& shape)                                   of one vector
//   void encode(const RowShape& shape, const float* vector, std::byte* out)   finite -> out [bytes]
//   void decode(const RowShape& shape, const std::byte* in, float* vector)    in [bytes] -> [width]
template <class Form>
constexpr Codec row_format_codec(CodecId id, const char* name) {
  return row_codec(
      id, name, [](const RowShape& shape) { return shape.vectors * Form::bytes(shape); },
      [](const RowShape& shape, SideData, const float* row, std::byte* out) {
        const int64_t bytes = Form::bytes(shape);
        for (int64_t v = 0; v < shape.vectors; ++v) {
          Form::encode(shape, row + v * shape.width, out + v * bytes);
        }
      },
      [](const RowShape& shape, SideData, const std::byte* group, int64_t row_begin,
         int64_t row_end, float* rows) {
        const int64_t bytes = Form::bytes(shape);
        for (int64_t v = row_begin * shape.vectors; v < row_end * shape.vectors; ++v) {
          Form::decode(shape, group + v * bytes, rows);
          rows += shape.width;
        }
      });
}

}  // namespace kvasir::kernels
