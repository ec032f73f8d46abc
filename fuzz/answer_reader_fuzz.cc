// Any bytes as a response to the load generator: what is read must not hang on how they are cut.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "bench/serve/answer.h"
#include "bench/serve/answer_reader.h"

namespace {

struct Read {
  kvasir::bench::Answer answer;
  bool is_good = true;
  bool is_done = false;
};

Read read_in_pieces(std::string_view bytes, size_t piece) {
  kvasir::bench::AnswerReader reader;
  Read read;
  while (!bytes.empty() && read.is_good) {
    const auto on_event = [&](std::string_view data) {
      kvasir::bench::read_chunk(data, 1, read.answer);
    };
    read.is_good = reader.take(bytes.substr(0, piece), on_event).ok();
    bytes.remove_prefix(std::min(piece, bytes.size()));
  }
  read.is_done = reader.is_done();
  read.answer.body = reader.body();
  return read;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Read whole = read_in_pieces(bytes, std::max(size, size_t{1}));
  const Read cut = read_in_pieces(bytes, 3);
  KVASIR_CHECK(whole.is_good == cut.is_good && whole.is_done == cut.is_done, "the same end");
  if (!whole.is_good) return 0;
  KVASIR_CHECK(whole.answer.body == cut.answer.body, "the same body");
  KVASIR_CHECK(whole.answer.text == cut.answer.text, "the same text");
  return 0;
}
