#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "source_tree.h"

namespace kvasir {
namespace {

// An inline function or template compiled with wide-vector flags is a weak symbol; if the linker
// keeps that copy for the whole program, a processor without those vectors dies in, say,
// std::vector. So the instruction sets' object files may define no weak symbol at all.
std::vector<std::string> weak_symbols_of_instruction_sets(std::string_view nm_output) {
  std::vector<std::string> found;
  bool is_instruction_set = false;
  for (std::string_view line : lines_of(nm_output)) {
    if (line.ends_with(".o:")) is_instruction_set = line.starts_with("avx");
    const size_t kind = line.find(' ') + 1;  // "address kind name"
    const bool is_weak = kind > 0 && kind < line.size() &&
                         std::string_view("WVu").find(line[kind]) != std::string_view::npos;
    if (is_instruction_set && is_weak) found.emplace_back(line.substr(kind));
  }
  return found;
}

std::string output_of(const std::string& command) {
  std::string output;
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return output;
  std::array<char, 4096> part;
  while (std::fgets(part.data(), part.size(), pipe) != nullptr) output += part.data();
  pclose(pipe);
  return output;
}

TEST(InstructionSets, ShareNoFunctionWithOtherFiles) {
#if !defined(__x86_64__)
  GTEST_SKIP() << "no file of this build is compiled for an instruction set of its own";
#endif
  const std::string symbols = output_of("nm -C --defined-only '" KVASIR_KERNELS_ARCHIVE "'");
  EXPECT_NE(symbols.find("avx2.cc.o:"), std::string::npos);
  EXPECT_NE(symbols.find("avx512.cc.o:"), std::string::npos);
  const std::vector<std::string> found = weak_symbols_of_instruction_sets(symbols);
  EXPECT_TRUE(found.empty()) << joined(found);
}

TEST(InstructionSets, SharedFunctionsAreCaught) {
  EXPECT_EQ(weak_symbols_of_instruction_sets("avx2.cc.o:\n"
                                             "0000 T kvasir::f()\n"
                                             "0000 W std::max()\n"
                                             "0000 u table\n"
                                             "ref.cc.o:\n"
                                             "0000 W std::min()\n")
                .size(),
            2u);
}

}  // namespace
}  // namespace kvasir
