// tell_said_turns() makes the ids of a rendered conversation in which turns of the model are told
// in the ids that it said, not in those of the text that came back.
//
// A free function; any number of threads may call it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kvasir/conversation.h"
#include "text/tokenizer.h"

namespace kvasir::text {

// Where a turn lies in the rendered text: from what asks the model to speak to the turn's end.
struct TurnPlace {
  const Message* message = nullptr;
  size_t begin = 0;  // bytes
  size_t end = 0;
};

struct SaidTurns {
  std::vector<int32_t> tokens;
  int64_t count = 0;  // of turns that are told as they were said
};

// places: ascending; of those that overlap the first counts. said: not empty. What ends a turn
// stays as the template has it.
SaidTurns tell_said_turns(const Tokenizer& tokenizer, std::span<const TextPart> parts,
                          std::span<const TurnPlace> places, const SaidIds& said);

}  // namespace kvasir::text
