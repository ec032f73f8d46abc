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
  EXPECT_NE(symbols.find("avx2_vnni.cc.o:"), std::string::npos);
  EXPECT_NE(symbols.find("avx2_vnni_evex.cc.o:"), std::string::npos);
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

struct Instruction {
  bool is_evex = false;  // an instruction of AVX-512 begins with this byte, and no other does
  std::string text;      // without what depends on how long instructions are: distances
};

bool is_padding(std::string_view text) {
  return text.find("nop") != text.npos || text.starts_with("xchg   %ax,%ax");
}

std::string without_distances(std::string_view text) {
  for (const std::string_view prefix : {"{vex} ", "{evex} "}) {
    if (text.starts_with(prefix)) text.remove_prefix(prefix.size());
  }
  if (text.starts_with("j") || text.starts_with("call"))
    return std::string(text.substr(0, text.find(' ')));
  std::string result(text.substr(0, text.find('#')));
  result.erase(result.find_last_not_of(' ') + 1);
  const size_t base = result.find("(%rip)");
  if (base == std::string::npos) return result;
  const size_t distance = result.find_last_of(" ,", base) + 1;
  return result.erase(distance, base - distance);
}

// Of objdump's lines "address:<tab>bytes<tab>text".
std::vector<Instruction> instructions_of(std::string_view disassembly) {
  std::vector<Instruction> found;
  for (const std::string_view line : lines_of(disassembly)) {
    const size_t bytes = line.find('\t') + 1;
    const size_t text = line.find('\t', bytes) + 1;
    if (bytes == 0 || text == 0 || is_padding(line.substr(text))) continue;
    found.push_back({.is_evex = line.substr(bytes).starts_with("62 "),
                     .text = without_distances(line.substr(text))});
  }
  return found;
}

// A processor has one encoding of these instructions, or the other, or both: what is tested of
// one file holds for both.
TEST(InstructionSets, TheEncodingsOfVnniAreTheSameCode) {
#if !defined(__x86_64__)
  GTEST_SKIP() << "no file of this build has such instructions";
#endif
  const auto vex = instructions_of(output_of("objdump -d '" KVASIR_VEX_OBJECT "'"));
  const auto evex = instructions_of(output_of("objdump -d '" KVASIR_EVEX_OBJECT "'"));
  ASSERT_GT(vex.size(), 10000u);
  ASSERT_EQ(vex.size(), evex.size());
  for (size_t i = 0; i < vex.size(); ++i) {
    ASSERT_EQ(vex[i].text, evex[i].text) << i;
    ASSERT_FALSE(vex[i].is_evex) << vex[i].text;
    ASSERT_EQ(evex[i].is_evex, evex[i].text.starts_with("vpdp")) << evex[i].text;
  }
}

TEST(InstructionSets, InstructionsAreToldApartByWhatTheyDo) {
  const auto found = instructions_of(
      "x.o:     file format elf64-x86-64\n\n"
      "   0:\tc4 e2 75 50 c2       \t{vex} vpdpbusd %ymm2,%ymm1,%ymm0\n"
      "   5:\t62 f2 75 28 50 c2    \tvpdpbusd %ymm2,%ymm1,%ymm0\n"
      "   b:\t66 2e 0f 1f 84 00 00 \tcs nopw 0x0(%rax,%rax,1)\n"
      "  12:\t00 00 00 \n"
      "  15:\t74 e9                \tje     0 <f>\n"
      "  17:\t48 8d 05 e2 ff ff ff \tlea    -0x1e(%rip),%rax        # 0 <f>\n");
  std::string text;
  for (const Instruction& one : found) text += (one.is_evex ? "evex " : "") + one.text + "\n";
  EXPECT_EQ(text,
            "vpdpbusd %ymm2,%ymm1,%ymm0\n"
            "evex vpdpbusd %ymm2,%ymm1,%ymm0\n"
            "je\n"
            "lea    (%rip),%rax\n");
}

}  // namespace
}  // namespace kvasir
