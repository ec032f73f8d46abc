// One byte of choices, then a body as a client would send it to one of the dialects: it is read or
// refused with a path, and whatever happens to a call that was read, its reply is whole frames of
// valid JSON.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/json.h"
#include "server/dialect.h"

namespace {

using namespace kvasir;
using namespace kvasir::server;

constexpr JsonLimits kLimits{.text_bytes_max = size_t{64} << 10};

void check_json(std::string_view text) {
  KVASIR_CHECK(Json::parse(text, "reply").ok(), "a reply is valid JSON");
}

void check_frames(std::string_view stream) {
  while (!stream.empty()) {
    const size_t end = stream.find("\n\n");
    KVASIR_CHECK(end != stream.npos, "frames are whole");
    std::string_view frame = stream.substr(0, end);
    stream.remove_prefix(end + 2);
    if (frame.starts_with("event: ")) frame.remove_prefix(frame.find('\n') + 1);
    KVASIR_CHECK(frame.find('\n') == frame.npos, "a frame is one line");
    if (frame.starts_with(": ") || frame == "data: [DONE]") continue;
    KVASIR_CHECK(frame.starts_with("data: "), "a frame has data");
    check_json(frame.substr(6));
  }
}

// Bytes of the body stand for what a model says, half characters among them.
std::string text_at(std::string_view body, size_t at) {
  return std::string(body.substr(std::min(at, body.size()), 5));
}

ReplyFacts facts_of(const Call& call, std::string_view body) {
  ReplyFacts facts{.id = "0", .model = text_at(body, 3), .fingerprint = text_at(body, 4)};
  facts.token_text = [body](int32_t id) { return text_at(body, static_cast<size_t>(id)); };
  facts.prompt_tokens.assign(std::max(call.prompts.size(), size_t{1}), 3);
  facts.prompt_texts.assign(call.prompts.size(), text_at(body, 7));
  return facts;
}

std::vector<SampledToken> tokens_of(const Call& call, int32_t id) {
  if (!call.options.wants_logprobs) return {};
  SampledToken token{.id = id, .logprob = -1.0f / static_cast<float>(id)};
  const int32_t count = call.options.top_logprob_count;
  for (int32_t i = 0; i < count; ++i) token.most_likely.push_back({i, -static_cast<float>(i)});
  return {std::move(token)};
}

// Calls of a made-up name and of one that the client has, cut anywhere.
std::vector<CallPiece> calls_of(const Call& call, std::string_view body) {
  if (!call.options.reads_calls) return {};
  const std::string arguments =
      R"({"input": ")" + text_at(body, 15) + R"(\u00)" + text_at(body, 17);
  return {{.index = 0, .name = text_at(body, 19)},
          {.index = 0, .arguments = text_at(body, 21), .is_over = true},
          {.index = 1, .name = call.form.tools.front().name, .arguments = arguments},
          {.index = 1, .arguments = text_at(body, 23), .is_over = body.size() % 2 == 0}};
}

std::string run(const Call& call, Reply& reply, std::string_view body, bool fails) {
  std::string out = reply.begin();
  if (call.streams) out += reply.heartbeat({.done_tokens = 1, .total_tokens = 2});
  const int64_t prompts = call.prompts.empty() ? 1 : std::ssize(call.prompts);
  const int64_t choices = prompts * call.answer_count;
  for (int64_t choice = 0; choice < choices; choice += call.answer_count) {
    ServiceEvent started{.kind = ServiceEvent::Kind::kStarted};
    if (call.wants_prompt_logprobs) started.prompt_logprobs = tokens_of(call, 2);
    out += reply.event(choice, started);
  }
  for (int64_t choice = 0; choice < choices; ++choice) {
    ServiceEvent event{.kind = ServiceEvent::Kind::kPiece, .answer = static_cast<int>(choice)};
    event.piece = {.reasoning = text_at(body, 9), .answer = "", .tokens = tokens_of(call, 0)};
    out += reply.event(choice, event);
    event.kind = ServiceEvent::Kind::kEnded;
    event.piece = {
        .answer = text_at(body, 11), .calls = calls_of(call, body), .tokens = tokens_of(call, 5)};
    out += reply.event(choice, event);
  }
  const ApiError error{.kind = ApiErrorKind::kBusy, .message = text_at(body, 13)};
  return out + (fails ? reply.fail(error) : reply.finish(ServiceUsage{.prompt_tokens = 3}));
}

const Dialect& dialect_of(uint8_t choices) {
  const bool first = (choices & 1) == 0;
  if ((choices & 4) != 0) return first ? messages() : responses();
  return first ? chat_completions() : completions();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Dialect& dialect = dialect_of(data[0]);
  const Result<Json> json = Json::parse(body, "body", kLimits);
  if (!json.ok()) return 0;
  const auto no_header = [](std::string_view) -> const std::string* { return nullptr; };
  const Result<Call> call = dialect.read(*json, no_header);
  if (!call.ok()) {
    KVASIR_CHECK(!call.error().field.empty(), "an error names the field");
    check_json(dialect.error_body(api_error(call.error()), "0"));
    return 0;
  }
  KVASIR_CHECK(check(call->options).ok(), "options are in range");
  KVASIR_CHECK(!call->options.reads_calls || !call->form.tools.empty(), "calls are of tools");
  KVASIR_CHECK(call->messages.empty() != call->prompts.empty(), "there is something to answer");
  const auto reply = dialect.reply(*call, facts_of(*call, body));
  const std::string out = run(*call, *reply, body, (data[0] & 2) != 0);
  call->streams ? check_frames(out) : check_json(out);
  return 0;
}
