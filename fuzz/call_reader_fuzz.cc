// Any pieces of text and markers as a reply: calls must come in order and end once, what is cut off
// must be the beginning of what is not, and text without a marker must come through as it is.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "text/call_reader.h"

namespace {

using namespace kvasir;
using text::CallForm;
using text::ReplyText;

constexpr std::string_view kMarker = "｜DSML｜";

struct Said {
  ReplyText text;
  bool is_marker = false;
};

// A byte 1 is the marker, a byte 2 begins the answer, a byte 3 ends a piece, a byte 4 begins a
// message to a tool.
std::vector<Said> pieces_of(std::string_view bytes) {
  std::vector<Said> pieces;
  std::string ReplyText::*part = &ReplyText::reasoning;
  Said piece;
  const auto end_piece = [&] { pieces.push_back(std::exchange(piece, {})); };
  for (const char byte : bytes) {
    if (byte == 1) {
      piece.text.*part += kMarker;
      piece.is_marker = true;
    } else if (byte == 2) {
      end_piece();
      part = &ReplyText::answer;
    } else if (byte == 4) {
      end_piece();
      piece.text.tool = "f";
      part = &ReplyText::tool_text;
    } else if (byte != 3) {
      piece.text.*part += byte;
    }
    if (byte == 1 || byte == 3) end_piece();
  }
  end_piece();
  return pieces;
}

struct Read {
  ReplyText text;
  bool is_over = false;
  int64_t begun = 0;
  int64_t ended = 0;

  void add(const ReplyText& piece) {
    text.reasoning += piece.reasoning;
    text.answer += piece.answer;
    for (const CallPiece& call : piece.calls) {
      if (call.index == begun) ++begun;
      KVASIR_CHECK(call.index + 1 == begun, "calls come in order");
      KVASIR_CHECK(ended < begun, "nothing follows the end of a call");
      if (call.is_over) ++ended;
      text.calls.push_back(call);
    }
  }
  std::string arguments() const {
    std::string all;
    for (const CallPiece& call : text.calls) all += call.arguments;
    return all;
  }
};

Read read(const std::vector<Said>& pieces, CallForm form, int64_t calls_max, bool flushes) {
  const auto reader = text::make_call_reader({.calls = form}, calls_max);
  Read whole;
  for (const Said& piece : pieces) {
    if (reader->is_over()) break;
    whole.add(reader->push(piece.text, piece.is_marker));
  }
  if (flushes) whole.add(reader->flush());
  whole.is_over = reader->is_over();
  KVASIR_CHECK(calls_max == 0 || whole.begun <= calls_max, "no more calls than there may be");
  return whole;
}

void check(std::string_view bytes, CallForm form) {
  const std::vector<Said> pieces = pieces_of(bytes);
  const Read whole = read(pieces, form, 0, true);
  std::string said;
  for (const Said& piece : pieces) said += piece.text.reasoning + piece.text.answer;
  if (said.find(kMarker) == said.npos && form == CallForm::kDeepSeek) {
    KVASIR_CHECK(whole.text.reasoning + whole.text.answer == said, "text comes through");
  }
  const Read part = read({pieces.begin(), pieces.begin() + std::ssize(pieces) / 2}, form, 0, false);
  KVASIR_CHECK(whole.text.reasoning.starts_with(part.text.reasoning), "a beginning");
  KVASIR_CHECK(whole.text.answer.starts_with(part.text.answer), "a beginning");
  KVASIR_CHECK(whole.arguments().starts_with(part.arguments()), "a beginning");
  read(pieces, form, 1, true);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string bytes(data, data + size);
  for (const CallForm form : {CallForm::kDeepSeek, CallForm::kTagged, CallForm::kBare,
                              CallForm::kListed, CallForm::kNamed, CallForm::kChannels}) {
    check(bytes, form);
  }
  return 0;
}
