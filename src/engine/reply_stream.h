// A ReplyStream turns the ids of a reply into the text of it that is certain, with nothing behind a
// stop string. One thread at a time.
//
// An IdsReplyStream gives none. A PlainReplyStream gives the text of the ids as they are. A
// ChatReplyStream tells reasoning, answer and calls apart, and shows no marker of a turn; stop
// strings end its answer only.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/stop_matcher.h"
#include "kvasir/generation.h"
#include "text/chat.h"
#include "text/reply_reader.h"
#include "text/stream_decoder.h"

namespace kvasir {

class ReplyStream {
 public:
  explicit ReplyStream(const std::vector<std::string>& stop_strings) : stops_(stop_strings) {}
  virtual ~ReplyStream() = default;

  // Takes the next id and adds what is certain now to the piece. Returns why the reply ends with
  // it; nothing where it goes on.
  virtual std::optional<StopReason> push(int32_t id, GenerationPiece& piece) = 0;
  // Adds the text that was held back. REQUIRES: called once, after the last id.
  virtual void finish(GenerationPiece& piece) = 0;
  virtual bool in_reasoning() const = 0;
  // Returns whether calls of tools began.
  virtual bool has_calls() const { return false; }

  // Returns the stop string that was found, also in text that was held back; empty: none.
  const std::string& stop_string() const { return stops_.matched_string(); }

 protected:
  StopMatcher stops_;
};

class IdsReplyStream : public ReplyStream {
 public:
  IdsReplyStream() : ReplyStream({}) {}

  std::optional<StopReason> push(int32_t, GenerationPiece&) override { return std::nullopt; }
  void finish(GenerationPiece&) override {}
  bool in_reasoning() const override { return false; }
};

class PlainReplyStream : public ReplyStream {
 public:
  // The tokenizer must outlive the stream.
  PlainReplyStream(const text::Tokenizer& tokenizer, const std::vector<std::string>& stop_strings);

  std::optional<StopReason> push(int32_t id, GenerationPiece& piece) override;
  void finish(GenerationPiece& piece) override;
  bool in_reasoning() const override { return false; }

 private:
  text::StreamDecoder decoder_;
};

class ChatReplyStream : public ReplyStream {
 public:
  // The form's tokenizer must outlive the stream. Without `calls` what looks like one is text.
  ChatReplyStream(const text::ReplyForm& form, bool starts_in_reasoning,
                  const std::vector<std::string>& stop_strings,
                  std::unique_ptr<text::CallReader> calls = nullptr);

  std::optional<StopReason> push(int32_t id, GenerationPiece& piece) override;
  void finish(GenerationPiece& piece) override;
  bool in_reasoning() const override { return reader_.in_reasoning(); }
  bool has_calls() const override { return reader_.has_calls(); }

 private:
  void show(text::ReplyText text, GenerationPiece& piece);
  // The answer ends with what was held back of it.
  void end_answer(GenerationPiece& piece);

  text::ReplyReader reader_;
  StopMatcher reasoning_markers_;
  StopMatcher answer_markers_;
};

}  // namespace kvasir
