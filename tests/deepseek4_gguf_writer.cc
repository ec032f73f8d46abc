// deepseek4_gguf_writer CHECKPOINT FILE: writes a DeepSeek-V4 checkpoint as a GGUF file as
// llama.cpp reads it, for tools/bench_llama_cpp.py.
#include <cstdio>

#include "deepseek4_gguf.h"
#include "temp_directory.h"

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: deepseek4_gguf_writer CHECKPOINT FILE\n");
    return 2;
  }
  using namespace kvasir::testing;
  write_file(argv[2], gguf_of_checkpoint(argv[1], llama_cpp_dialect()).file());
  return 0;
}
