#include "text/chat.h"

#include <algorithm>
#include <optional>

#include "base/check.h"

namespace kvasir::text {
namespace {

constexpr std::string_view kBetweenUserMessages = "\n\n";

struct MarkerName {
  int32_t ChatMarkers::*id;
  std::string_view content;
};

constexpr MarkerName kMarkerNames[] = {
    {&ChatMarkers::begin_of_sentence, "<｜begin▁of▁sentence｜>"},
    {&ChatMarkers::end_of_sentence, "<｜end▁of▁sentence｜>"},
    {&ChatMarkers::user, "<｜User｜>"},
    {&ChatMarkers::assistant, "<｜Assistant｜>"},
    {&ChatMarkers::think_begin, "<think>"},
    {&ChatMarkers::think_end, "</think>"},
};

// What begins or ends a turn; the last one is not in every vocabulary.
constexpr std::string_view kTurnMarkers[] = {"<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>",
                                             "<｜User｜>", "<｜Assistant｜>",
                                             "<｜latest_reminder｜>"};

constexpr std::string_view kSystemMarker = "<｜System｜>";

Error bad_conversation(size_t message, std::string expected, std::string found) {
  return Error{.kind = ErrorKind::kUsage,
               .what = "the conversation has no valid order",
               .where = "message " + std::to_string(message),
               .expected = std::move(expected),
               .found = std::move(found)};
}

Status check_order(std::span<const ChatMessage> messages) {
  for (size_t i = 0; i < messages.size(); ++i) {
    const ChatRole role = messages[i].role;
    const bool first = i == 0;
    if (role == ChatRole::kSystem && !first && messages[i - 1].role != ChatRole::kSystem) {
      return bad_conversation(i, "system messages only at the start", "a later one");
    }
    if (role == ChatRole::kAssistant && (first || messages[i - 1].role != ChatRole::kUser)) {
      return bad_conversation(i, "an assistant message only after a user message",
                              first ? "one at the start" : "one after another role");
    }
  }
  return ok_status();
}

// The text of the run of messages of one role that starts at `i`, which moves behind it.
std::string take_run(std::span<const ChatMessage> messages, size_t& i, std::string_view between) {
  const ChatRole role = messages[i].role;
  std::string text = messages[i++].content;
  for (; i < messages.size() && messages[i].role == role; ++i) {
    text.append(between).append(messages[i].content);
  }
  return text;
}

}  // namespace

Result<ChatFormat> ChatFormat::create(const Tokenizer& tokenizer) {
  ChatMarkers markers;
  for (const MarkerName& name : kMarkerNames) {
    const std::optional<int32_t> id = tokenizer.added_token_id(name.content);
    if (!id) {
      return Error{.kind = ErrorKind::kUnsupported,
                   .what = "the tokenizer has no chat marker",
                   .where = "added_tokens",
                   .expected = std::string(name.content)};
    }
    markers.*name.id = *id;
  }
  markers.system = tokenizer.added_token_id(kSystemMarker);
  return ChatFormat(tokenizer, markers);
}

ChatFormat::ChatFormat(const Tokenizer& tokenizer, const ChatMarkers& markers)
    : tokenizer_(&tokenizer),
      markers_(markers),
      reply_form_{.tokenizer = &tokenizer,
                  .ends = {markers.end_of_sentence, markers.begin_of_sentence, markers.user,
                           markers.assistant},
                  .think_begin = markers.think_begin,
                  .think_end = markers.think_end,
                  .reasons_at_start_alone = true,
                  .turn_markers = {std::begin(kTurnMarkers), std::end(kTurnMarkers)},
                  .calls = markers.system ? CallForm::kDeepSeek41 : CallForm::kDeepSeek,
                  .call_markers = marker_ids(tokenizer, {"｜DSML｜"})} {
  if (!markers.system) return;
  reply_form_.ends.push_back(*markers.system);
  reply_form_.turn_markers.emplace_back(kSystemMarker);
}

void ChatFormat::append_text(std::string_view text, std::vector<int32_t>& ids) const {
  const std::vector<int32_t> encoded = tokenizer_->encode(text, SpecialTokens::kIgnore);
  ids.insert(ids.end(), encoded.begin(), encoded.end());
}

std::vector<int32_t> ChatFormat::encode_start(std::string_view system) const {
  std::vector<int32_t> ids = {markers_.begin_of_sentence};
  if (markers_.system && !system.empty()) ids.push_back(*markers_.system);
  append_text(system, ids);
  return ids;
}

std::vector<int32_t> ChatFormat::encode_user_turn(std::string_view text, ChatMode mode) const {
  std::vector<int32_t> ids = {markers_.user};
  append_text(text, ids);
  ids.push_back(markers_.assistant);
  ids.push_back(mode == ChatMode::kThinking ? markers_.think_begin : markers_.think_end);
  return ids;
}

Result<std::vector<int32_t>> ChatFormat::encode_conversation(std::span<const ChatMessage> messages,
                                                             ChatMode mode) const {
  KVASIR_RETURN_IF_ERROR(check_order(messages));
  size_t i = 0;
  const bool has_system = !messages.empty() && messages[0].role == ChatRole::kSystem;
  std::vector<int32_t> ids = encode_start(has_system ? take_run(messages, i, "") : "");
  while (i < messages.size()) {
    const std::string user_text = take_run(messages, i, kBetweenUserMessages);
    // A reply that a later user message follows is told without its reasoning.
    const bool last_turn = i + 1 >= messages.size();
    const ChatMode turn_mode = last_turn ? mode : ChatMode::kDirect;
    const std::vector<int32_t> turn = encode_user_turn(user_text, turn_mode);
    ids.insert(ids.end(), turn.begin(), turn.end());
    if (i == messages.size()) break;
    const ChatMessage& reply = messages[i++];
    if (turn_mode == ChatMode::kThinking) {
      append_text(reply.reasoning, ids);
      ids.push_back(markers_.think_end);
    }
    append_text(reply.content, ids);
    ids.push_back(markers_.end_of_sentence);
  }
  return ids;
}

std::vector<int32_t> marker_ids(const Tokenizer& tokenizer,
                                const std::vector<std::string_view>& contents) {
  std::vector<int32_t> ids;
  for (const std::string_view content : contents) {
    if (const std::optional<int32_t> id = tokenizer.added_token_id(content)) ids.push_back(*id);
  }
  return ids;
}

bool ReplyForm::stands_in_calls(int32_t id) const {
  return std::find(call_markers.begin(), call_markers.end(), id) != call_markers.end();
}

bool ReplyForm::ends_reply(int32_t id) const {
  if (id == think_begin || id == think_end) return false;
  if (reads_calls && stands_in_calls(id)) return false;
  if (channels && channels->contains(id)) return false;
  // Not every vocabulary calls its markers special.
  return std::find(ends.begin(), ends.end(), id) != ends.end() || tokenizer->is_special(id);
}

ReplyParser::ReplyParser(ReplyForm form, bool starts_in_reasoning)
    : form_(std::move(form)),
      decoder_(*form_.tokenizer),
      part_(starts_in_reasoning ? Part::kReasoning
            : form_.channels    ? Part::kStart
                                : Part::kAnswer) {}

ReplyText ReplyParser::push(int32_t id) {
  if (part_ == Part::kEnded) return {};
  if (form_.channels && form_.channels->contains(id)) return push_marker(id);
  const bool ends_reply = form_.ends_reply(id);
  const bool begins_reasoning =
      part_ == Part::kAnswer && id == form_.think_begin && !form_.reasons_at_start_alone;
  const bool ends_reasoning = in_reasoning() && id == form_.think_end;
  if (!ends_reply && !ends_reasoning && !begins_reasoning) return in_part(decoder_.push(id));
  ReplyText rest = flush();
  part_ = ends_reply ? Part::kEnded : begins_reasoning ? Part::kReasoning : Part::kAnswer;
  return rest;
}

ReplyText ReplyParser::flush() {
  ReplyText rest = in_part(decoder_.flush());
  if (part_ == Part::kStart) rest.answer += head_.take();
  return rest;
}

ReplyText ReplyParser::in_part(std::string text) {
  ReplyText out;
  if (part_ == Part::kStart) text = push_start(std::move(text));
  if (part_ == Part::kHead) {
    head_.add(text);
    return out;
  }
  (in_reasoning()         ? out.reasoning
   : part_ == Part::kTool ? out.tool_text
                          : out.answer) = std::move(text);
  return out;
}

void ReplyParser::end_reasoning() {
  // A message's head says what it is.
  if (part_ != Part::kEnded && !form_.channels) part_ = Part::kCalls;
}

// Where none of these stands in its place it says nothing.
ReplyText ReplyParser::push_marker(int32_t id) {
  const ChannelMarkers& markers = *form_.channels;
  ReplyText rest = in_part(decoder_.flush());
  const bool was_head = part_ == Part::kHead || part_ == Part::kStart;
  if (id == markers.message) {
    if (was_head) begin_message(rest);
    return rest;
  }
  if (id == markers.constrain) {
    if (was_head) head_.add(" ");
    return rest;
  }
  if (!was_head || id != markers.channel) head_.clear();
  part_ = Part::kHead;
  if (id == markers.channel) head_.begin_channel();
  return rest;
}

std::string ReplyParser::push_start(std::string text) {
  head_.add(text);
  if (head_.may_begin()) return "";
  part_ = Part::kAnswer;
  return head_.take();
}

void ReplyParser::begin_message(ReplyText& text) {
  part_ = head_.channel() == "analysis" ? Part::kReasoning : Part::kAnswer;
  if (head_.tool().empty()) return;
  // Without tools it is only text.
  part_ = form_.reads_calls ? Part::kTool : Part::kAnswer;
  if (form_.reads_calls) text.tool = head_.tool();
}

ChatTranscript::ChatTranscript(const ChatFormat& format, std::string_view system)
    : format_(format), ids_(format.encode_start(system)) {}

bool ChatTranscript::starts_in_reasoning() const {
  return reply_start_ != 0 && ids_[reply_start_] == format_.markers().think_begin;
}

Status ChatTranscript::add_user(std::string_view text, ChatMode mode) {
  unchanged_count_ = ids_.size();
  if (reply_start_ != 0) end_reply();
  const std::vector<int32_t> turn = format_.encode_user_turn(text, mode);
  ids_.insert(ids_.end(), turn.begin(), turn.end());
  reply_start_ = ids_.size() - 1;
  return ok_status();
}

void ChatTranscript::add_sampled(int32_t id) {
  KVASIR_CHECK(reply_start_ != 0, "there is no user message to reply to");
  const int32_t end = format_.markers().end_of_sentence;
  KVASIR_CHECK(ids_.back() != end, "the reply has ended");
  if (id == end || !format_.ends_reply(id)) ids_.push_back(id);
}

void ChatTranscript::end_reply() {
  const ChatMarkers& markers = format_.markers();
  const auto opening = ids_.begin() + static_cast<ptrdiff_t>(reply_start_);
  if (*opening == markers.think_begin) {
    unchanged_count_ = reply_start_;
    const auto answer = std::find(opening, ids_.end(), markers.think_end);
    if (answer != ids_.end()) {
      ids_.erase(opening, answer);
    } else {
      // Cut off while it was reasoning: there is no answer.
      const bool ended = ids_.back() == markers.end_of_sentence;
      ids_.erase(opening, ended ? ids_.end() - 1 : ids_.end());
      ids_.insert(ids_.begin() + static_cast<ptrdiff_t>(reply_start_), markers.think_end);
    }
  }
  if (ids_.back() != markers.end_of_sentence) ids_.push_back(markers.end_of_sentence);
}

}  // namespace kvasir::text
