// A checkpoint with two matrices of integers and one of floats, for tests of panels.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/tensor_directory.h"
#include "gguf_maker.h"
#include "kernels/panels.h"
#include "kernels/weight_matrix.h"
#include "numeric/blocks/block_type.h"
#include "temp_directory.h"

namespace kvasir::testing {

class PanelCheckpoint {
 public:
  PanelCheckpoint() { write("first"); }

  // Its content depends on the name of the first matrix.
  void write(const std::string& first_name) {
    constexpr uint32_t kF32 = 0;
    const BlockType& q4 = *block_type_of(Dtype::kQ4_0);
    // The second has more rows than threads take at a time.
    GgufMaker maker;
    maker.filled_tensor(first_name, std::array<int64_t, 2>{64, 40}, q4.gguf_id)
        .filled_tensor("floats", std::array<int64_t, 2>{2, 2}, kF32)
        .filled_tensor("second", std::array<int64_t, 2>{32, 600}, q4.gguf_id);
    write_file(path(), maker.file());
    open(first_name);
  }

  // As a program that starts does.
  void open(const std::string& first_name = "first") {
    matrices_.clear();
    auto opened = TensorDirectory::open(
        path(),
        {.official_name = [](std::string_view name) { return std::optional<std::string>(name); },
         .is_ignored = [](std::string_view) { return false; }});
    ASSERT_TRUE(opened.ok()) << opened.error().message();
    tensors_ = std::make_unique<TensorDirectory>(std::move(opened).value());
    for (const std::string& name : {first_name, std::string("floats"), std::string("second")}) {
      const StoredTensor& tensor = **tensors_->take(name);
      kernels::WeightMatrix matrix{.rows = tensor.info.shape[0],
                                   .cols = tensor.info.shape[1],
                                   .data = tensor.bytes().data()};
      if (name != "floats") {
        matrix.format = kernels::WeightFormat::kBlocks;
        matrix.blocks = block_type_of(tensor.info.dtype);
      }
      matrices_.push_back(matrix);
    }
  }

  std::string path() const { return directory_.file("small.gguf"); }
  TensorDirectory& tensors() { return *tensors_; }
  kernels::WeightMatrix& first() { return matrices_[0]; }
  kernels::WeightMatrix& floats() { return matrices_[1]; }
  kernels::WeightMatrix& second() { return matrices_[2]; }
  std::vector<kernels::WeightMatrix*> all() { return {&first(), &floats(), &second()}; }
  std::vector<kernels::WeightMatrix> integers() { return {first(), second()}; }
  std::string folder() const { return directory_.file("panels/of models"); }

 private:
  TempDirectory directory_;
  std::unique_ptr<TensorDirectory> tensors_;
  std::vector<kernels::WeightMatrix> matrices_;
};

inline void expect_panels_of(const kernels::WeightMatrix& matrix, const uint8_t* panels) {
  std::vector<uint8_t> panel(static_cast<size_t>(kernels::panel_bytes(matrix)));
  for (int64_t row = 0; row < matrix.rows; row += kernels::kPanelRows, panels += panel.size()) {
    kernels::pack_panel(matrix, row, panel.data());
    EXPECT_TRUE(std::equal(panel.begin(), panel.end(), panels)) << row;
  }
}

}  // namespace kvasir::testing
