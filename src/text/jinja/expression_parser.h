// An ExpressionParser turns tokens into expressions, with the precedence that Jinja's own parser
// has. It works on its caller's TokenStream, and belongs to one parser.
#pragma once

#include <initializer_list>
#include <string_view>

#include "text/jinja/syntax.h"
#include "text/jinja/token_stream.h"

namespace kvasir::text::jinja {

// Which names with a meaning of their own a macro's body mentions.
struct SpecialNames {
  bool caller = false;
  bool varargs = false;
  bool kwargs = false;
};

// After a failure of the tokens its expressions have no meaning, but they are there.
class ExpressionParser {
 public:
  explicit ExpressionParser(TokenStream& tokens) : tokens_(tokens) {}

  ExpressionPtr expression();
  // Several with commas between them are a tuple. `has_condition`: whether "a if b" may stand
  // there.
  ExpressionPtr tuple(bool has_condition = true);
  // name; name.member with `allows_member`; or a tuple of these.
  ExpressionPtr target(bool allows_member);
  // "| name(...)", any number of times; with `is_inline` the first without its bar. `input` may be
  // null. Returns the input when there is no filter.
  ExpressionPtr filters(ExpressionPtr input, bool is_inline);

  SpecialNames& special_names() { return special_names_; }
  // In a branch that may not run, an unknown filter or test fails when it is reached; elsewhere it
  // fails at once.
  bool is_conditional = false;

 private:
  using Rule = ExpressionPtr (ExpressionParser::*)();

  ExpressionPtr disjunction();
  ExpressionPtr conjunction();
  ExpressionPtr negation();
  ExpressionPtr comparison();
  ExpressionPtr sum();
  ExpressionPtr concatenation();
  ExpressionPtr product();
  ExpressionPtr power();
  ExpressionPtr unary_with_filters() { return unary(true); }
  ExpressionPtr unary(bool has_filters);
  ExpressionPtr primary();
  ExpressionPtr name_or_constant();
  ExpressionPtr string();
  ExpressionPtr number();
  ExpressionPtr list();
  ExpressionPtr dict();
  ExpressionPtr postfix(ExpressionPtr operand);
  ExpressionPtr attribute(ExpressionPtr operand);
  ExpressionPtr item(ExpressionPtr operand);
  ExpressionPtr slice_or_key();
  ExpressionPtr filters_and_tests(ExpressionPtr operand);
  ExpressionPtr filter(ExpressionPtr input);
  ExpressionPtr test(ExpressionPtr operand);
  ExpressionPtr call(ExpressionPtr operand);
  CallArguments arguments();
  void add_argument(CallArguments& arguments);
  ExpressionPtr target_item(bool allows_member);

  struct Operator {
    std::string_view symbol;
    Arithmetic arithmetic;
  };
  ExpressionPtr left_to_right(Rule operand, std::initializer_list<Operator> operators);
  bool take_comparison(ComparisonStep& step);
  std::string dotted_name();
  // A node with these parts, which may be null.
  ExpressionPtr node(ExpressionKind kind, int line, ExpressionPtr first = nullptr,
                     ExpressionPtr second = nullptr);
  ExpressionPtr measured(ExpressionPtr expression);

  TokenStream& tokens_;
  SpecialNames special_names_;
};

}  // namespace kvasir::text::jinja
