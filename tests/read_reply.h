// read_reply() gives the ids of a reply to a ReplyReader and puts the pieces together.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/json.h"
#include "text/reply_reader.h"

namespace kvasir::testing {

struct ReadCall {
  std::string name;
  std::string arguments;
  bool is_over = false;
  bool operator==(const ReadCall&) const = default;
};

struct ReadReply {
  std::string reasoning;
  std::string answer;
  std::vector<ReadCall> calls;
  bool ended = false;  // before the last id or with it

  // REQUIRES: pieces in order, each of the newest call, or one that begins the next.
  void add(const text::ReplyText& piece) {
    reasoning += piece.reasoning;
    answer += piece.answer;
    for (const CallPiece& call : piece.calls) {
      if (call.index == std::ssize(calls)) {
        KVASIR_CHECK(calls.empty() || calls.back().is_over, "a call ends before the next begins");
        calls.push_back({.name = call.name});
      } else {
        KVASIR_CHECK(call.index + 1 == std::ssize(calls), "calls come in order");
        KVASIR_CHECK(call.name.empty() && !calls.back().is_over, "a call that goes on");
      }
      calls.back().arguments += call.arguments;
      calls.back().is_over = call.is_over;
    }
  }
};

inline ReadReply read_reply(const text::ReplyForm& form, std::span<const int32_t> ids,
                            bool starts_in_reasoning, int64_t calls_max = 0) {
  text::ReplyReader reader(form, starts_in_reasoning, text::make_call_reader(form, calls_max));
  ReadReply reply;
  for (const int32_t id : ids) {
    reply.add(reader.push(id));
    reply.ended = reader.ended();
    if (reply.ended) break;
  }
  reply.add(reader.flush());
  return reply;
}

inline std::vector<int32_t> ids_in(const Json& object) {
  std::vector<int32_t> ids;
  const Json* found = object.find("ids");
  if (found == nullptr || found->as_array() == nullptr) return ids;
  for (const Json& id : *found->as_array()) ids.push_back(static_cast<int32_t>(*id.as_integer()));
  return ids;
}

inline Json json_of(const ReadReply& reply) {
  Json::Array calls;
  for (const ReadCall& call : reply.calls) {
    calls.emplace_back(Json::Object{
        {"name", call.name}, {"arguments", call.arguments}, {"is_over", call.is_over}});
  }
  return Json::Object{
      {"reasoning", reply.reasoning}, {"answer", reply.answer}, {"calls", std::move(calls)}};
}

}  // namespace kvasir::testing
