// A CustomInput turns the arguments of a call, {"input": "a text"}, back into that text, piece by
// piece: a client's custom tool takes a text, where the model knows a function with one string.
// However the arguments are cut, the same text comes out. One thread.
//
//   CustomInput input;
//   input.add("{\"input\": \"a\\");  // "a"
//   input.add("nb\"}");              // "\nb"
//   input.finish();                  // ""
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace kvasir::server {

class CustomInput {
 public:
  // What of the text is known now, behind that known before.
  std::string add(std::string_view arguments);
  // The rest, when nothing more comes. Arguments of another kind are the text themselves.
  std::string finish();

 private:
  enum class State : uint8_t { kBefore, kInside, kBehind, kOther };

  void find_text();
  std::string take_text();

  State state_ = State::kBefore;
  std::string pending_;  // arguments that are not told yet
};

// Of all the arguments at once.
std::string custom_input(std::string_view arguments);

}  // namespace kvasir::server
