// A Chat is a conversation with a model in the chat form that it was trained on. It owns one
// session, so a turn computes only what is new. It is used from the engine's thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kvasir/engine.h"
#include "kvasir/generate.h"
#include "kvasir/result.h"

namespace kvasir {

struct ChatOptions {
  std::string system;
  bool thinking = false;  // the model reasons before it answers
};

struct ChatTurn {
  std::string reasoning;
  std::string answer;
  int64_t prompt_tokens = 0;    // the whole conversation up to the answer
  int64_t reused_tokens = 0;    // those of them that the cache had
  int64_t computed_tokens = 0;  // those of them that were prefilled now
  int64_t generated_tokens = 0;
  double prefill_ms = 0;
  double ttft_ms = 0;  // from the call to the first sampled token
  double decode_ms = 0;
  StopReason stop_reason = StopReason::kTokenLimit;
};

// A ChatSink is called with pieces of the reply as they come.
using ChatSink = std::function<void(std::string_view piece, bool is_reasoning)>;

// Returns the ids that a first Chat::turn would prefill: one user message, up to where the answer
// begins. Error: as Chat::create.
Result<std::vector<int32_t>> encode_chat_prompt(Engine& engine, const ChatOptions& options,
                                                std::string_view user_text);

class Chat {
 public:
  // Error: the model came without a chat template, and its tokenizer lacks the chat markers that
  // would do instead. The engine must outlive the chat and stay where it is.
  static Result<Chat> create(Engine& engine, const ChatOptions& options);
  Chat(Chat&&) noexcept;
  Chat& operator=(Chat&&) noexcept;
  ~Chat();

  // Takes one user message and returns the model's answer. Errors: as generate() and
  // Session::append. After an interruption the conversation goes on from
  // what was said so far; after an error the answer that failed counts as empty.
  Result<ChatTurn> turn(std::string_view user_text, const GenerateOptions& options,
                        const ChatSink& on_text = {}, const Progress& progress = {});

 private:
  struct State;
  explicit Chat(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace kvasir
