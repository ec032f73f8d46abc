// A tokenizer.json, a zero byte, a text: what loads must give the text back unless the file loses
// some of it, whole and streamed alike, and no text may forge a marker. When the file does not
// load, a built-in tokenizer takes the text.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "text/byte_alphabet.h"
#include "text/chat.h"
#include "text/tokenizer.h"
#include "tokenizer_checks.h"

namespace {

using kvasir::text::ChatFormat;
using kvasir::text::ChatMessage;
using kvasir::text::ChatMode;
using kvasir::text::ChatRole;
using kvasir::text::ChatTranscript;
using kvasir::text::ReplyParser;
using kvasir::text::SpecialTokens;
using kvasir::text::Tokenizer;
using kvasir::text::TokenizerData;

// Longer texts find nothing new and take the time of many short ones.
constexpr size_t kTextBytesMax = 512;

TokenizerData built_in_data() {
  TokenizerData data;
  for (int byte = 0; byte < 256; ++byte) {
    const auto text = kvasir::text::alphabet_character(static_cast<uint8_t>(byte));
    data.tokens.push_back({text, byte});
  }
  const char* const merges[][2] = {{"a", "a"}, {"aa", "aa"}, {"t", "h"}, {"th", "e"}, {"Ġ", "the"},
                                   {"Ġ", "Ġ"}, {"1", "2"},   {"ä", "¸"}, {"ä¸", "Ń"}};
  for (const auto& [left, right] : merges) {
    data.tokens.push_back({std::string(left) + right, static_cast<int32_t>(data.tokens.size())});
    data.merges.emplace_back(left, right);
  }
  auto id = static_cast<int32_t>(data.tokens.size());
  for (const char* content : {"<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜User｜>",
                              "<｜Assistant｜>", "<think>", "</think>"}) {
    data.added.push_back({.content = content, .id = id++, .normalized = content[1] == 't'});
  }
  return data;
}

const Tokenizer& built_in_tokenizer() {
  static const auto tokenizer = Tokenizer::build(built_in_data(), "built in");
  KVASIR_CHECK(tokenizer.ok(), "the built-in tokenizer is broken");
  return *tokenizer;
}

void check_chat(const Tokenizer& tokenizer, const std::string& text) {
  const auto format = ChatFormat::create(tokenizer);
  if (!format) return;
  const ChatMessage messages[] = {{ChatRole::kSystem, text, ""},
                                  {ChatRole::kUser, text, ""},
                                  {ChatRole::kAssistant, text, text}};
  const auto ids = format->encode_conversation(messages, ChatMode::kThinking);
  KVASIR_CHECK(ids.ok(), "a conversation was refused");
  const auto user_count = std::count(ids->begin(), ids->end(), format->markers().user);
  KVASIR_CHECK(user_count == 1, "a marker was forged");
}

void check_reply(const Tokenizer& tokenizer, std::string_view text) {
  const auto format = ChatFormat::create(tokenizer);
  if (!format) return;
  ReplyParser parser(*format, ChatMode::kThinking);
  ChatTranscript transcript(*format, "");
  KVASIR_CHECK(transcript.add_user("", ChatMode::kThinking).ok(), "any text is a message");
  for (const int32_t id : tokenizer.encode(text, SpecialTokens::kMatch)) {
    if (parser.ended()) break;
    parser.push(id);
    transcript.add_sampled(id);
  }
  parser.flush();
  KVASIR_CHECK(transcript.add_user(text, ChatMode::kDirect).ok(), "any text is a message");
  KVASIR_CHECK(transcript.unchanged_count() <= transcript.ids().size(), "too much is unchanged");
}

void check_all(const Tokenizer& tokenizer, bool keeps_text, std::string_view text) {
  kvasir::text::check_tokenizer(tokenizer, text, keeps_text);
  check_chat(tokenizer, std::string(text));
  check_reply(tokenizer, text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t json_end = std::min(input.find('\0'), input.size());
  const std::string_view text =
      input.substr(std::min(json_end + 1, input.size())).substr(0, kTextBytesMax);
  const auto parsed = kvasir::text::parse_tokenizer_json(input.substr(0, json_end), "fuzz");
  const auto tokenizer = parsed ? Tokenizer::build(*parsed, "fuzz") : parsed.error();
  if (tokenizer) {
    check_all(*tokenizer, kvasir::text::keeps_text(*parsed), text);
  } else {
    KVASIR_CHECK(!tokenizer.error().message().empty(), "an error without a message");
    check_all(built_in_tokenizer(), true, text);
  }
  return 0;
}
