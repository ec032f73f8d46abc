#include <algorithm>
#include <string>

#include "text/jinja/expression_parser.h"
#include "text/jinja/filters.h"
#include "text/jinja/printing.h"

namespace kvasir::text::jinja {

// ---- what follows an operand --------------------------------------------------------------------

ExpressionPtr ExpressionParser::postfix(ExpressionPtr operand) {
  while (true) {
    if (tokens_.current().is_operator(".")) {
      operand = attribute(std::move(operand));
    } else if (tokens_.current().is_operator("[")) {
      operand = item(std::move(operand));
    } else if (tokens_.current().is_operator("(")) {
      operand = call(std::move(operand));
    } else {
      return operand;
    }
  }
}

ExpressionPtr ExpressionParser::attribute(ExpressionPtr operand) {
  const int line = tokens_.take().line;
  if (tokens_.current().kind == TokenKind::kInteger) {
    return node(ExpressionKind::kItem, line, std::move(operand), number());
  }
  ExpressionPtr result = node(ExpressionKind::kAttribute, line, std::move(operand));
  result->member = tokens_.take_name();
  return result;
}

ExpressionPtr ExpressionParser::item(ExpressionPtr operand) {
  const int line = tokens_.take().line;
  if (tokens_.current().is_operator("]")) tokens_.fail_expecting("an expression");
  ExpressionPtr key = slice_or_key();
  if (tokens_.current().is_operator(",")) {
    key = node(ExpressionKind::kTuple, line, std::move(key));
    while (tokens_.skip_operator(",")) key->parts.push_back(slice_or_key());
    key = measured(std::move(key));
  }
  tokens_.expect_operator("]");
  return node(ExpressionKind::kItem, line, std::move(operand), std::move(key));
}

ExpressionPtr ExpressionParser::slice_or_key() {
  const auto ends = [this] {
    return tokens_.current().is_operator("]") || tokens_.current().is_operator(",");
  };
  const int line = tokens_.line();
  ExpressionPtr first = tokens_.current().is_operator(":") ? nullptr : expression();
  if (!tokens_.skip_operator(":")) return first;
  ExpressionPtr slice = node(ExpressionKind::kSlice, line);
  slice->parts.resize(3);
  slice->parts[0] = std::move(first);
  if (!ends() && !tokens_.current().is_operator(":")) slice->parts[1] = expression();
  if (tokens_.skip_operator(":") && !ends()) slice->parts[2] = expression();
  return measured(std::move(slice));
}

ExpressionPtr ExpressionParser::filters_and_tests(ExpressionPtr operand) {
  while (true) {
    if (tokens_.current().is_operator("|")) {
      tokens_.take();
      operand = filter(std::move(operand));
    } else if (tokens_.current().is_name("is")) {
      operand = test(std::move(operand));
    } else if (tokens_.current().is_operator("(")) {
      operand = call(std::move(operand));
    } else {
      return operand;
    }
  }
}

ExpressionPtr ExpressionParser::filters(ExpressionPtr input, bool is_inline) {
  if (is_inline) input = filter(std::move(input));
  while (tokens_.skip_operator("|")) input = filter(std::move(input));
  return input;
}

std::string ExpressionParser::dotted_name() {
  std::string name = tokens_.take_name();
  while (tokens_.skip_operator(".")) name += "." + tokens_.take_name();
  return name;
}

ExpressionPtr ExpressionParser::filter(ExpressionPtr input) {
  ExpressionPtr result = node(ExpressionKind::kFilter, tokens_.line());
  result->member = dotted_name();
  if (!is_conditional && !is_filter(result->member)) {
    tokens_.fail_here("there is no filter named " + in_quotes(result->member));
  }
  result->parts.push_back(std::move(input));
  if (tokens_.current().is_operator("(")) result->arguments = arguments();
  return measured(std::move(result));
}

ExpressionPtr ExpressionParser::test(ExpressionPtr operand) {
  ExpressionPtr result = node(ExpressionKind::kTest, tokens_.take().line, std::move(operand));
  const bool is_negated = tokens_.skip_name("not");
  result->member = dotted_name();
  if (!is_conditional && !is_test(result->member)) {
    tokens_.fail_here("there is no test named " + in_quotes(result->member));
  }
  const Token& next = tokens_.current();
  const bool has_argument = next.kind == TokenKind::kString || next.kind == TokenKind::kInteger ||
                            next.kind == TokenKind::kReal || next.is_operator("[") ||
                            next.is_operator("{") ||
                            (next.kind == TokenKind::kName && !next.is_name("else") &&
                             !next.is_name("or") && !next.is_name("and"));
  if (next.is_operator("(")) {
    result->arguments = arguments();
  } else if (next.is_name("is")) {
    tokens_.fail_here("tests with 'is' cannot be chained");
  } else if (has_argument) {
    result->arguments.positional.push_back(postfix(primary()));
  }
  result = measured(std::move(result));
  if (!is_negated) return result;
  const int line = result->line;
  return node(ExpressionKind::kNot, line, std::move(result));
}

ExpressionPtr ExpressionParser::call(ExpressionPtr operand) {
  ExpressionPtr result = node(ExpressionKind::kCall, tokens_.line(), std::move(operand));
  result->arguments = arguments();
  return measured(std::move(result));
}

CallArguments ExpressionParser::arguments() {
  CallArguments result;
  tokens_.expect_operator("(");
  while (!tokens_.current().is_operator(")")) {
    add_argument(result);
    if (!tokens_.skip_operator(",")) break;
  }
  tokens_.expect_operator(")");
  return result;
}

void ExpressionParser::add_argument(CallArguments& arguments) {
  const bool has_spread = arguments.spread != nullptr || arguments.spread_named != nullptr;
  const bool is_named =
      tokens_.current().kind == TokenKind::kName && tokens_.after().is_operator("=");
  bool is_in_order = true;
  if (tokens_.skip_operator("*")) {
    is_in_order = !has_spread;
    arguments.spread = expression();
  } else if (tokens_.skip_operator("**")) {
    is_in_order = arguments.spread_named == nullptr;
    arguments.spread_named = expression();
  } else if (is_named) {
    is_in_order = arguments.spread_named == nullptr;
    std::string name = tokens_.take().text;
    tokens_.take();
    arguments.named.emplace_back(std::move(name), expression());
  } else {
    is_in_order = !has_spread && arguments.named.empty();
    arguments.positional.push_back(expression());
  }
  if (!is_in_order) tokens_.fail_here("the arguments of a call are in the wrong order");
}

// ---- targets ------------------------------------------------------------------------------------

ExpressionPtr ExpressionParser::target(bool allows_member) {
  const TokenStream::Level level(tokens_);
  const int line = tokens_.line();
  ExpressionPtr first = target_item(allows_member);
  if (!tokens_.current().is_operator(",")) return first;
  ExpressionPtr result = node(ExpressionKind::kTuple, line, std::move(first));
  const auto begins_item = [this] {
    const Token& token = tokens_.current();
    return (token.kind == TokenKind::kName && !token.is_name("in")) || token.is_operator("(");
  };
  while (tokens_.skip_operator(",") && begins_item()) {
    result->parts.push_back(target_item(allows_member));
  }
  return measured(std::move(result));
}

ExpressionPtr ExpressionParser::target_item(bool allows_member) {
  if (tokens_.skip_operator("(")) {
    ExpressionPtr inner = target(allows_member);
    tokens_.expect_operator(")");
    return inner;
  }
  const int line = tokens_.line();
  ExpressionPtr result = node(ExpressionKind::kName, line);
  result->name = tokens_.take_name();
  constexpr std::string_view kConstants[] = {"true", "false", "none", "True", "False", "None"};
  if (std::ranges::find(kConstants, result->name) != std::end(kConstants)) {
    tokens_.fail_here("nothing can be assigned to " + in_quotes(result->name));
  }
  if (allows_member && tokens_.skip_operator(".")) {
    result->kind = ExpressionKind::kNamespaceMember;
    result->member = tokens_.take_name();
  }
  return result;
}

}  // namespace kvasir::text::jinja
