// call_probe: reads replies for tools/crosscheck_calls.py.
//
//   call_probe tokenizer.json
//
// In: a line of JSON for each reply, {"ids": [...], "thinking": BOOL}. Out, for each: {"reasoning":
// ..., "answer": ..., "calls": [{"name": ..., "arguments": ..., "is_over": BOOL}]}.
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "read_reply.h"

namespace {

using kvasir::Json;

Json answer_to(const std::string& line, const kvasir::text::ReplyForm& form) {
  const auto request = Json::parse(line, "request");
  if (!request.ok()) return Json::Object{{"error", request.error().message()}};
  const Json* thinking = request->find("thinking");
  const bool thinks = thinking != nullptr && thinking->as_bool() != nullptr && *thinking->as_bool();
  return kvasir::testing::json_of(
      kvasir::testing::read_reply(form, kvasir::testing::ids_in(*request), thinks));
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) return 2;
  const auto tokenizer = kvasir::text::Tokenizer::load(arguments[1]);
  if (!tokenizer.ok()) {
    std::fprintf(stderr, "%s\n", tokenizer.error().message().c_str());
    return 1;
  }
  const auto format = kvasir::text::ChatFormat::create(*tokenizer);
  if (!format.ok()) return 1;
  for (std::string line; std::getline(std::cin, line);) {
    std::printf("%s\n", answer_to(line, format->reply_form()).dump().c_str());
  }
  return 0;
}
