#include "text/jinja/expression_parser.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <string>

namespace kvasir::text::jinja {
namespace {

bool ends_tuple(const Token& token) {
  return token.kind == TokenKind::kVariableEnd || token.kind == TokenKind::kBlockEnd ||
         token.is_operator(")");
}

int64_t integer_in(std::string text, TokenStream& tokens) {
  std::erase(text, '_');
  const char letter = text.size() > 2 && text[0] == '0' ? static_cast<char>(text[1] | 0x20) : '0';
  const int base = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 10;
  const char* begin = text.data() + (base == 10 ? 0 : 2);
  int64_t value = 0;
  const auto read = std::from_chars(begin, text.data() + text.size(), value, base);
  if (read.ec != std::errc()) tokens.fail_here("an integer has more than 64 bits");
  return value;
}

}  // namespace

ExpressionPtr ExpressionParser::node(ExpressionKind kind, int line, ExpressionPtr first,
                                     ExpressionPtr second) {
  auto expression = std::make_unique<Expression>();
  expression->kind = kind;
  expression->line = line;
  if (first != nullptr || second != nullptr) expression->parts.push_back(std::move(first));
  if (second != nullptr) expression->parts.push_back(std::move(second));
  return measured(std::move(expression));
}

// Trees are walked by functions that call themselves, so their height is bounded.
ExpressionPtr ExpressionParser::measured(ExpressionPtr expression) {
  int height = 0;
  const auto add = [&height](const ExpressionPtr& part) {
    if (part != nullptr) height = std::max(height, part->height);
  };
  for (const ExpressionPtr& part : expression->parts) add(part);
  for (const ExpressionPtr& part : expression->arguments.positional) add(part);
  for (const auto& named : expression->arguments.named) add(named.second);
  add(expression->arguments.spread);
  add(expression->arguments.spread_named);
  expression->height = height + 1;
  tokens_.check_nesting(expression->height);
  return expression;
}

// ---- operators ----------------------------------------------------------------------------------

ExpressionPtr ExpressionParser::expression() {
  const TokenStream::Level level(tokens_);
  ExpressionPtr value = disjunction();
  while (tokens_.current().is_name("if")) {
    const int line = tokens_.take().line;
    ExpressionPtr condition = disjunction();
    ExpressionPtr result =
        node(ExpressionKind::kCondition, line, std::move(condition), std::move(value));
    if (tokens_.skip_name("else")) result->parts.push_back(expression());
    value = measured(std::move(result));
  }
  return value;
}

ExpressionPtr ExpressionParser::disjunction() {
  ExpressionPtr left = conjunction();
  while (tokens_.current().is_name("or")) {
    const int line = tokens_.take().line;
    left = node(ExpressionKind::kOr, line, std::move(left), conjunction());
  }
  return left;
}

ExpressionPtr ExpressionParser::conjunction() {
  ExpressionPtr left = negation();
  while (tokens_.current().is_name("and")) {
    const int line = tokens_.take().line;
    left = node(ExpressionKind::kAnd, line, std::move(left), negation());
  }
  return left;
}

ExpressionPtr ExpressionParser::negation() {
  if (!tokens_.current().is_name("not")) return comparison();
  const TokenStream::Level level(tokens_);
  const int line = tokens_.take().line;
  return node(ExpressionKind::kNot, line, negation());
}

bool ExpressionParser::take_comparison(ComparisonStep& step) {
  constexpr std::pair<std::string_view, Comparison> kSymbols[] = {
      {"==", Comparison::kEqual},     {"!=", Comparison::kNotEqual},
      {"<=", Comparison::kLessEqual}, {">=", Comparison::kGreaterEqual},
      {"<", Comparison::kLess},       {">", Comparison::kGreater}};
  for (const auto& [symbol, comparison] : kSymbols) {
    if (tokens_.skip_operator(symbol)) {
      step.comparison = comparison;
      return true;
    }
  }
  step.is_negated = tokens_.current().is_name("not") && tokens_.after().is_name("in");
  if (step.is_negated) tokens_.take();
  step.is_membership = tokens_.skip_name("in");
  return step.is_membership;
}

ExpressionPtr ExpressionParser::comparison() {
  const int line = tokens_.line();
  ExpressionPtr first = sum();
  ComparisonStep step;
  if (!take_comparison(step)) return first;
  ExpressionPtr result = node(ExpressionKind::kComparison, line, std::move(first));
  do {
    result->steps.push_back(step);
    result->parts.push_back(sum());
    step = {};
  } while (take_comparison(step));
  return measured(std::move(result));
}

ExpressionPtr ExpressionParser::left_to_right(Rule operand,
                                              std::initializer_list<Operator> operators) {
  ExpressionPtr left = (this->*operand)();
  while (true) {
    const int line = tokens_.line();
    const auto* found = std::ranges::find_if(
        operators, [this](const Operator& one) { return tokens_.skip_operator(one.symbol); });
    if (found == operators.end()) return left;
    left = node(ExpressionKind::kArithmetic, line, std::move(left), (this->*operand)());
    left->arithmetic = found->arithmetic;
  }
}

ExpressionPtr ExpressionParser::sum() {
  return left_to_right(&ExpressionParser::concatenation,
                       {{"+", Arithmetic::kAdd}, {"-", Arithmetic::kSubtract}});
}

ExpressionPtr ExpressionParser::concatenation() {
  const int line = tokens_.line();
  ExpressionPtr first = product();
  if (!tokens_.current().is_operator("~")) return first;
  ExpressionPtr result = node(ExpressionKind::kConcatenation, line, std::move(first));
  while (tokens_.skip_operator("~")) result->parts.push_back(product());
  return measured(std::move(result));
}

ExpressionPtr ExpressionParser::product() {
  return left_to_right(&ExpressionParser::power, {{"*", Arithmetic::kMultiply},
                                                  {"/", Arithmetic::kDivide},
                                                  {"//", Arithmetic::kFloorDivide},
                                                  {"%", Arithmetic::kModulo}});
}

ExpressionPtr ExpressionParser::power() {
  return left_to_right(&ExpressionParser::unary_with_filters, {{"**", Arithmetic::kPower}});
}

ExpressionPtr ExpressionParser::unary(bool has_filters) {
  const TokenStream::Level level(tokens_);
  const int line = tokens_.line();
  ExpressionPtr value;
  if (tokens_.skip_operator("-")) {
    value = node(ExpressionKind::kNegative, line, unary(false));
  } else if (tokens_.skip_operator("+")) {
    value = node(ExpressionKind::kPositive, line, unary(false));
  } else {
    value = primary();
  }
  value = postfix(std::move(value));
  return has_filters ? filters_and_tests(std::move(value)) : std::move(value);
}

// ---- literals -----------------------------------------------------------------------------------

ExpressionPtr ExpressionParser::primary() {
  const Token& token = tokens_.current();
  switch (token.kind) {
    case TokenKind::kName:
      return name_or_constant();
    case TokenKind::kString:
      return string();
    case TokenKind::kInteger:
    case TokenKind::kReal:
      return number();
    default:
      break;
  }
  if (token.is_operator("[")) return list();
  if (token.is_operator("{")) return dict();
  if (!token.is_operator("(")) {
    tokens_.fail_expecting("an expression");
    return node(ExpressionKind::kConstant, tokens_.line());
  }
  const int line = tokens_.take().line;
  ExpressionPtr inner =
      tokens_.current().is_operator(")") ? node(ExpressionKind::kTuple, line) : tuple();
  tokens_.expect_operator(")");
  return inner;
}

ExpressionPtr ExpressionParser::name_or_constant() {
  const Token token = tokens_.take();
  ExpressionPtr result = node(ExpressionKind::kConstant, token.line);
  if (token.text == "true" || token.text == "True") {
    result->constant = true;
  } else if (token.text == "false" || token.text == "False") {
    result->constant = false;
  } else if (token.text != "none" && token.text != "None") {
    result->kind = ExpressionKind::kName;
    result->name = token.text;
    special_names_.caller |= token.text == "caller";
    special_names_.varargs |= token.text == "varargs";
    special_names_.kwargs |= token.text == "kwargs";
  }
  return result;
}

ExpressionPtr ExpressionParser::string() {
  ExpressionPtr result = node(ExpressionKind::kConstant, tokens_.line());
  std::string text;
  while (tokens_.current().kind == TokenKind::kString) text += tokens_.take().text;
  result->constant = Value::text(text, Origin::kTemplate);
  return result;
}

ExpressionPtr ExpressionParser::number() {
  ExpressionPtr result = node(ExpressionKind::kConstant, tokens_.line());
  if (tokens_.current().kind == TokenKind::kInteger) {
    result->constant = integer_in(tokens_.current().text, tokens_);
  } else {
    std::string text = tokens_.current().text;
    std::erase(text, '_');
    result->constant = std::strtod(text.c_str(), nullptr);
  }
  tokens_.take();
  return result;
}

ExpressionPtr ExpressionParser::list() {
  ExpressionPtr result = node(ExpressionKind::kList, tokens_.take().line);
  while (!tokens_.current().is_operator("]")) {
    result->parts.push_back(expression());
    if (!tokens_.skip_operator(",")) break;
  }
  tokens_.expect_operator("]");
  return measured(std::move(result));
}

ExpressionPtr ExpressionParser::dict() {
  ExpressionPtr result = node(ExpressionKind::kDict, tokens_.take().line);
  while (!tokens_.current().is_operator("}")) {
    result->parts.push_back(expression());
    tokens_.expect_operator(":");
    result->parts.push_back(expression());
    if (!tokens_.skip_operator(",")) break;
  }
  tokens_.expect_operator("}");
  return measured(std::move(result));
}

ExpressionPtr ExpressionParser::tuple(bool has_condition) {
  const int line = tokens_.line();
  const auto part = [&] { return has_condition ? expression() : disjunction(); };
  ExpressionPtr first = part();
  if (!tokens_.current().is_operator(",")) return first;
  ExpressionPtr result = node(ExpressionKind::kTuple, line, std::move(first));
  while (tokens_.skip_operator(",") && !ends_tuple(tokens_.current())) {
    result->parts.push_back(part());
  }
  return measured(std::move(result));
}

}  // namespace kvasir::text::jinja
