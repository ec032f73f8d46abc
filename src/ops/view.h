// A View is a matrix that somebody else owns. A batched step takes and gives values in this form.
// Its rows may lie apart, as the columns of a wider matrix do.
//
// Plain value. A step checks the shapes of its views when it begins; single rows are checked where
// KVASIR_DCHECK is.
#pragma once

#include <cstdint>
#include <type_traits>

#include "base/aligned_buffer.h"
#include "base/check.h"

namespace kvasir::ops {

template <class T>
struct View {
  T* data = nullptr;
  int64_t rows = 0;
  int64_t cols = 0;
  int64_t row_stride = 0;  // values from the begin of a row to that of the next

  T* row(int64_t index) const {
    KVASIR_DCHECK(index >= 0 && index < rows, "a row of the view");
    return data + index * row_stride;
  }
  bool has_shape(int64_t row_count, int64_t col_count) const {
    return rows == row_count && cols == col_count;
  }
  // Returns whether no values lie between the rows.
  bool is_packed() const { return row_stride == cols; }

  // Return all rows of some columns, and some rows of all columns.
  View columns(int64_t begin, int64_t count) const {
    KVASIR_CHECK(begin >= 0 && count >= 0 && begin + count <= cols, "columns of the view");
    return {data + begin, rows, count, row_stride};
  }
  View rows_from(int64_t begin, int64_t count) const {
    KVASIR_CHECK(begin >= 0 && count >= 0 && begin + count <= rows, "rows of the view");
    return {data + begin * row_stride, count, cols, row_stride};
  }

  // NOLINTNEXTLINE(google-explicit-constructor): what may be written may be read.
  operator View<const T>() const requires(!std::is_const_v<T>) {
    return {data, rows, cols, row_stride};
  }
};

// Returns a view of data [rows, cols], rows back to back.
template <class T>
View<T> view_of(T* data, int64_t rows, int64_t cols) {
  return {data, rows, cols, cols};
}

// Returns the begin of a buffer as [rows, cols].
template <class T>
View<T> view_of(AlignedBuffer<T>& buffer, int64_t rows, int64_t cols) {
  KVASIR_CHECK(rows >= 0 && cols >= 0 && rows * cols <= buffer.size(),
               "the buffer was sized for as many values");
  return view_of(buffer.data(), rows, cols);
}

}  // namespace kvasir::ops
