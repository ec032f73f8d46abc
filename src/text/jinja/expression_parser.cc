#include "text/jinja/expression_parser.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <string>

#include "text/jinja/filters.h"
#include "text/jinja/printing.h"

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
