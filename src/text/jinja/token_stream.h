// A TokenStream is the place where a parser stands among tokens, and how deep it is nested there.
// After a failure it stands at the end, where every loop of a parser ends. It belongs to one
// parser.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/jinja/failure.h"
#include "text/jinja/lexer.h"

namespace kvasir::text::jinja {

class TokenStream {
 public:
  // REQUIRES: the last token is kEnd.
  TokenStream(std::vector<Token> tokens, int nesting_max, std::optional<Failure>& failure)
      : tokens_(std::move(tokens)), failure_(failure), nesting_max_(nesting_max) {
    if (failure_) stop();
  }

  const Token& current() const { return tokens_[position_]; }
  const Token& after() const { return tokens_[std::min(position_ + 1, tokens_.size() - 1)]; }
  int line() const { return current().line; }
  Token take() {
    Token token = current();
    if (position_ + 1 < tokens_.size()) ++position_;
    return token;
  }

  bool skip_operator(std::string_view symbol) { return skip_if(current().is_operator(symbol)); }
  bool skip_name(std::string_view name) { return skip_if(current().is_name(name)); }
  void expect_operator(std::string_view symbol) {
    if (!skip_operator(symbol)) fail_expecting("'" + std::string(symbol) + "'");
  }
  void expect_name(std::string_view name) {
    if (!skip_name(name)) fail_expecting("'" + std::string(name) + "'");
  }
  void expect(TokenKind kind, const char* what) {
    if (!skip_if(current().kind == kind)) fail_expecting(what);
  }
  std::string take_name() {
    if (current().kind == TokenKind::kName) return take().text;
    fail_expecting("a name");
    return "";
  }

  bool failed() const { return failure_.has_value(); }
  // The first failure stays.
  void fail(ErrorKind kind, std::string what) {
    if (!failure_) failure_ = Failure{kind, std::move(what), line()};
    stop();
  }
  void fail_here(std::string what) { fail(ErrorKind::kDamaged, std::move(what)); }
  void fail_expecting(const std::string& what) {
    fail_here(what + " is missing before " + description());
  }
  void check_nesting(int height) {
    if (height <= nesting_max_) return;
    fail(ErrorKind::kNoRoom,
         "the template is nested too deep (at most " + std::to_string(nesting_max_) + ")");
  }

  // One level of nesting, as long as it lives.
  class Level {
   public:
    explicit Level(TokenStream& tokens) : tokens_(tokens) {
      tokens_.check_nesting(++tokens_.nesting_);
    }
    ~Level() { --tokens_.nesting_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;

   private:
    TokenStream& tokens_;
  };

 private:
  bool skip_if(bool condition) {
    if (condition) take();
    return condition;
  }
  std::string description() const;

  void stop() { position_ = tokens_.size() - 1; }

  std::vector<Token> tokens_;
  std::optional<Failure>& failure_;
  size_t position_ = 0;
  int nesting_ = 0;
  const int nesting_max_;
};

}  // namespace kvasir::text::jinja
