// ChatFormat writes conversations as token ids in DeepSeek-V4's layout, or V4.1's, and ReplyParser
// takes the model's reply apart.
//
//   BOS system (<｜User｜> text <｜Assistant｜> [<think> reasoning] </think> answer EOS)...
//
// Markers are put in as ids, and what people wrote is encoded with SpecialTokens::kIgnore. So no
// message can forge a marker. Reasoning stays only after the last user message.
//
// A ChatFormat is immutable, and any number of threads may use it. It refers to the tokenizer, as
// does all that is made from it, so the tokenizer must outlive them. A ChatTranscript and a
// ReplyParser belong to one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kvasir/conversation.h"
#include "kvasir/result.h"
#include "text/message_head.h"
#include "text/stream_decoder.h"
#include "text/tokenizer.h"

namespace kvasir::text {

enum class ChatRole { kSystem, kUser, kAssistant };
enum class ChatMode { kThinking, kDirect };

struct ChatMessage {
  ChatRole role = ChatRole::kUser;
  std::string content;
  std::string reasoning;  // of an assistant, may be empty
};

// How a model writes the calls of tools that it makes (CallReader).
enum class CallForm : uint8_t {
  kNone,
  kDeepSeek,    // <｜DSML｜tool_calls> and elements of XML
  kDeepSeek41,  // <｜DSML｜ calls> and likewise
  kTagged,      // <tool_call> {"name": ..., "arguments": ...} </tool_call>
  kBare,        // {"name": ..., "parameters": ...}
  kListed,      // [TOOL_CALLS] [{"name": ..., "arguments": ...}]
  kNamed,       // [TOOL_CALLS] name [ARGS] {...}
  kChannels,    // <|channel|>commentary to=functions.name <|message|> {...}
};

// A ReplyForm says how a model's replies are told apart: what ends one, and what stands around
// reasoning. It refers to the tokenizer.
struct ReplyForm {
  const Tokenizer* tokenizer = nullptr;
  std::vector<int32_t> ends;           // besides every special token
  std::optional<int32_t> think_begin;  // none: the model does not reason apart
  std::optional<int32_t> think_end;
  bool reasons_at_start_alone = false;    // think_begin in an answer is only text
  std::vector<std::string> turn_markers;  // as models spell them out
  CallForm calls = CallForm::kNone;
  std::vector<int32_t> call_markers;       // stand in calls
  bool reads_calls = false;                // so they do not end the reply
  std::optional<ChannelMarkers> channels;  // a reply is messages, not one text

  // Returns whether a reply ends where the model gives this id.
  bool ends_reply(int32_t id) const;
  bool stands_in_calls(int32_t id) const;
};

// The ids of those added tokens that the vocabulary has.
std::vector<int32_t> marker_ids(const Tokenizer& tokenizer,
                                const std::vector<std::string_view>& contents);

// A Transcript keeps a growing conversation as the exact ids that the model saw, so that its KV
// cache stays valid. One thread at a time.
class Transcript {
 public:
  virtual ~Transcript() = default;

  // Ends the reply before it, if any (also one that was cut off), and opens the next. Error: the
  // model's form cannot say this conversation.
  virtual Status add_user(std::string_view text, ChatMode mode) = 0;
  // A sampled id of the reply, the one that ends it included. Nothing may follow that one but
  // add_user.
  virtual void add_sampled(int32_t id) = 0;
  // All ids: after add_user the prompt, after add_sampled also what was sampled.
  virtual std::span<const int32_t> ids() const = 0;
  // Returns whether a reply begins inside its reasoning.
  virtual bool starts_in_reasoning() const = 0;
  // Returns whether the next message takes the reasoning of the newest reply away, from its first
  // id on.
  virtual bool drops_reasoning() const = 0;
};

struct ChatMarkers {
  int32_t begin_of_sentence = 0;
  int32_t end_of_sentence = 0;
  int32_t user = 0;
  int32_t assistant = 0;
  int32_t think_begin = 0;
  int32_t think_end = 0;
  std::optional<int32_t> system;  // V4.1 alone has it
};

class ChatFormat {
 public:
  // Fails when the tokenizer lacks one of the markers.
  static Result<ChatFormat> create(const Tokenizer& tokenizer);

  // The whole conversation. When it ends with a user message, the prompt for an answer follows;
  // when it ends with an assistant message, it ends after that one's EOS.
  // System messages come first, and an assistant message follows a user message.
  Result<std::vector<int32_t>> encode_conversation(std::span<const ChatMessage> messages,
                                                   ChatMode mode) const;

  // BOS and system text (may be empty).
  std::vector<int32_t> encode_start(std::string_view system) const;
  // <｜User｜> text <｜Assistant｜> and the opening of a reply: <think> or </think>.
  std::vector<int32_t> encode_user_turn(std::string_view text, ChatMode mode) const;

  // Returns whether a reply ends where the model gives this id: EOS, or a marker that no reply has
  // inside.
  bool ends_reply(int32_t id) const { return reply_form_.ends_reply(id); }
  const ReplyForm& reply_form() const { return reply_form_; }
  const ChatMarkers& markers() const { return markers_; }
  const Tokenizer& tokenizer() const { return *tokenizer_; }

 private:
  ChatFormat(const Tokenizer& tokenizer, const ChatMarkers& markers);

  void append_text(std::string_view text, std::vector<int32_t>& ids) const;

  const Tokenizer* tokenizer_;
  ChatMarkers markers_;
  ReplyForm reply_form_;
};

struct ReplyText {
  std::string reasoning;
  std::string answer;
  std::vector<CallPiece> calls;
  // Of a message to a tool: its name, where it begins, and text. A CallReader makes calls of them.
  std::string tool;
  std::string tool_text;
};

// Separates reasoning from answer while the model's ids stream in. Calls it leaves in the text
// (ReplyReader).
class ReplyParser {
 public:
  // The form is copied; its tokenizer must outlive the parser.
  ReplyParser(ReplyForm form, bool starts_in_reasoning);
  // `mode` is the one the prompt was made with.
  ReplyParser(const ChatFormat& format, ChatMode mode)
      : ReplyParser(format.reply_form(), mode == ChatMode::kThinking) {}

  // Returns the text that is certain now. The id that ends the reply and those behind it give
  // nothing.
  ReplyText push(int32_t id);
  // Returns the text still held back. For when the model stops or is stopped.
  ReplyText flush();
  // From here on everything is the answer's, whatever markers it has.
  void end_reasoning();

  bool in_reasoning() const { return part_ == Part::kReasoning; }
  bool ended() const { return part_ == Part::kEnded; }

 private:
  enum class Part { kReasoning, kAnswer, kCalls, kStart, kHead, kTool, kEnded };

  ReplyText in_part(std::string text);
  // Of a message.
  ReplyText push_marker(int32_t id);
  void begin_message(ReplyText& text);
  // Text that may stand in a head before its first marker. Returns what does not.
  std::string push_start(std::string text);

  ReplyForm form_;
  StreamDecoder decoder_;
  Part part_;
  MessageHead head_;
};

// A ChatTranscript keeps a growing conversation as the exact ids that the model saw. Earlier text
// is never encoded again, so its KV cache stays valid. When the next user message comes, the
// reasoning of the last answer is taken out; the ids before that answer stay as they were.
class ChatTranscript : public Transcript {
 public:
  // The system text may be empty.
  ChatTranscript(const ChatFormat& format, std::string_view system);

  Status add_user(std::string_view text, ChatMode mode) override;
  // A marker of another turn is left out.
  void add_sampled(int32_t id) override;
  std::span<const int32_t> ids() const override { return ids_; }
  bool starts_in_reasoning() const override;
  bool drops_reasoning() const override { return starts_in_reasoning(); }
  // How many leading ids the last add_user left as they were. A cache of the old ids is good up to
  // here.
  size_t unchanged_count() const { return unchanged_count_; }

 private:
  void end_reply();

  ChatFormat format_;
  std::vector<int32_t> ids_;
  size_t reply_start_ = 0;  // index of the <think> or </think> that opens the reply; 0: none yet
  size_t unchanged_count_ = 0;
};

}  // namespace kvasir::text
