#include <gtest/gtest.h>

#include "kernels/instruction_sets.h"
#include "kvasir/engine.h"

namespace kvasir {
namespace {

Error refusal_of(const EngineOptions& options) {
  const auto engine = Engine::open(options);
  return engine.ok() ? Error{.kind = ErrorKind::kIo, .what = "it opened"} : engine.error();
}

TEST(EngineOptions, AnUnknownInstructionSetIsRefusedWithThoseOfTheMachine) {
  const Error error = refusal_of({.model_path = "nowhere", .instruction_set = "avx3"});
  EXPECT_EQ(error.kind, ErrorKind::kUsage);
  EXPECT_EQ(error.field, "instruction_set");
  EXPECT_EQ(error.found, "avx3");
  for (const kernels::InstructionSet& set : kernels::instruction_sets()) {
    const bool is_named = error.expected.find(set.table.name) != std::string::npos;
    EXPECT_EQ(is_named, set.is_supported()) << error.expected;
  }
}

TEST(EngineOptions, AnInstructionSetThatTheMachineLacksIsUnsupported) {
  bool has_all = true;
  for (const kernels::InstructionSet& set : kernels::instruction_sets()) {
    if (set.is_supported()) continue;
    has_all = false;
    const Error error = refusal_of({.model_path = "nowhere", .instruction_set = set.table.name});
    EXPECT_EQ(error.kind, ErrorKind::kUnsupported);
    EXPECT_EQ(error.field, "instruction_set");
  }
  if (has_all) GTEST_SKIP() << "this machine runs every instruction set of the build";
}

// Whatever is wrong with these options, it is not the instruction set.
TEST(EngineOptions, NamesOfTheListAndAutoAreTaken) {
  std::vector<std::string> names = {"", "auto", "portable", "ref"};
  for (const std::string& name : names) {
    EXPECT_NE(refusal_of({.model_path = "nowhere", .instruction_set = name}).field,
              "instruction_set");
  }
  EXPECT_EQ(instruction_sets().front(), "portable");
}

}  // namespace
}  // namespace kvasir
