// tokens_of cuts a template's source into tokens, with the white-space rules of chat templates: the
// first newline after a tag goes (trim_blocks), the blanks before one that begins its line go
// (lstrip_blocks), and "-" and "+" in tags say otherwise. A free function without state.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/jinja/failure.h"

namespace kvasir::text::jinja {

enum class TokenKind : uint8_t {
  kData,           // text outside tags
  kVariableBegin,  // {{
  kVariableEnd,
  kBlockBegin,  // {%
  kBlockEnd,
  kName,
  kString,  // without its quotes and escapes
  kInteger,
  kReal,
  kOperator,
  kEnd,
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string text;
  int line = 1;

  bool is(TokenKind of_kind, std::string_view of_text) const {
    return kind == of_kind && text == of_text;
  }
  bool is_operator(std::string_view symbol) const { return is(TokenKind::kOperator, symbol); }
  bool is_name(std::string_view name) const { return is(TokenKind::kName, name); }
};

// The last token is kEnd; after a failure there are none behind what was read before it.
// REQUIRES: `source` is well-formed UTF-8.
std::vector<Token> tokens_of(std::string_view source, std::optional<Failure>& failure);

}  // namespace kvasir::text::jinja
