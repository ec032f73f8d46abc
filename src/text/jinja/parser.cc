#include "text/jinja/parser.h"

#include <initializer_list>

#include "text/jinja/expression_parser.h"
#include "text/jinja/printing.h"
#include "text/jinja/unset_names.h"

namespace kvasir::text::jinja {
namespace {

using StatementPtr = std::unique_ptr<Statement>;

class Parser {
 public:
  explicit Parser(TokenStream& tokens) : tokens_(tokens), expressions_(tokens) {}

  // Statements up to a tag with one of these names, at which the parser then stands.
  Body body(std::initializer_list<std::string_view> ends) {
    const TokenStream::Level level(tokens_);
    Body result;
    while (true) {
      const Token& token = tokens_.current();
      if (token.kind == TokenKind::kData) {
        result.statements.push_back(text());
      } else if (token.kind == TokenKind::kVariableBegin) {
        result.statements.push_back(output());
      } else if (token.kind == TokenKind::kBlockBegin) {
        tokens_.take();
        if (is_one_of(tokens_.current(), ends)) return result;
        result.statements.push_back(tag());
        tokens_.expect(TokenKind::kBlockEnd, "'%}'");
      } else {
        if (ends.size() > 0) tokens_.fail_expecting("'" + std::string(*ends.begin()) + "'");
        return result;
      }
    }
  }

 private:
  static bool is_one_of(const Token& token, std::initializer_list<std::string_view> names) {
    for (std::string_view name : names) {
      if (token.is_name(name)) return true;
    }
    return false;
  }

  StatementPtr make(StatementKind kind) const {
    auto statement = std::make_unique<Statement>();
    statement->kind = kind;
    statement->line = tokens_.line();
    return statement;
  }

  StatementPtr text() {
    StatementPtr statement = make(StatementKind::kText);
    statement->text = TracedText(tokens_.take().text, Origin::kTemplate);
    return statement;
  }

  StatementPtr output() {
    StatementPtr statement = make(StatementKind::kOutput);
    tokens_.take();
    statement->value = expressions_.tuple();
    tokens_.expect(TokenKind::kVariableEnd, "'}}'");
    return statement;
  }

  StatementPtr tag() {
    struct Tag {
      std::string_view name;
      StatementPtr (Parser::*parse)();
    };
    constexpr Tag kTags[] = {{"if", &Parser::if_tag},
                             {"for", &Parser::for_tag},
                             {"set", &Parser::set_tag},
                             {"macro", &Parser::macro_tag},
                             {"call", &Parser::call_tag},
                             {"filter", &Parser::filter_tag},
                             {"with", &Parser::with_tag},
                             {"print", &Parser::print_tag},
                             {"generation", &Parser::generation_tag},
                             {"break", &Parser::break_tag},
                             {"continue", &Parser::continue_tag}};
    for (const Tag& one : kTags) {
      if (tokens_.current().is_name(one.name)) return (this->*one.parse)();
    }
    return unknown_tag();
  }

  StatementPtr unknown_tag() {
    if (tokens_.current().kind != TokenKind::kName) tokens_.fail_expecting("the name of a tag");
    const bool is_known = is_one_of(
        tokens_.current(), {"block", "extends", "include", "import", "from", "autoescape"});
    tokens_.fail(is_known ? ErrorKind::kUnsupported : ErrorKind::kDamaged,
                 std::string(is_known ? "unsupported" : "unknown") + " tag " +
                     in_quotes(tokens_.current().text));
    return make(StatementKind::kText);
  }

  void end_tag_head() {
    tokens_.skip_operator(":");
    tokens_.expect(TokenKind::kBlockEnd, "'%}'");
  }
  // A body up to the tag that ends it, which is taken.
  Body closed_body(std::string_view end) {
    end_tag_head();
    Body statements = body({end});
    tokens_.take();
    return statements;
  }

  StatementPtr if_tag() {
    StatementPtr statement = make(StatementKind::kIf);
    const Conditional conditional(*this, true);
    do {
      tokens_.take();
      Branch branch;
      branch.condition = expressions_.tuple(false);
      end_tag_head();
      branch.body = body({"elif", "else", "endif"});
      statement->branches.push_back(std::move(branch));
    } while (tokens_.current().is_name("elif"));
    if (tokens_.take().text == "else") {
      statement->branches.push_back({nullptr, closed_body("endif")});
    }
    return statement;
  }

  StatementPtr for_tag() {
    StatementPtr statement = make(StatementKind::kFor);
    tokens_.take();
    statement->target = expressions_.target(false);
    tokens_.expect_name("in");
    statement->value = expressions_.tuple(false);
    if (tokens_.skip_name("if")) statement->condition = expressions_.expression();
    if (tokens_.current().is_name("recursive")) {
      tokens_.fail(ErrorKind::kUnsupported, "unsupported: a recursive for loop");
    }
    const Conditional conditional(*this, false);
    end_tag_head();
    ++loop_depth_;
    statement->branches.push_back({nullptr, body({"endfor", "else"})});
    --loop_depth_;
    if (tokens_.take().text == "else") {
      statement->branches.push_back({nullptr, closed_body("endfor")});
    }
    return statement;
  }

  StatementPtr set_tag() {
    StatementPtr statement = make(StatementKind::kSet);
    tokens_.take();
    statement->target = expressions_.target(true);
    if (tokens_.skip_operator("=")) {
      statement->value = expressions_.tuple();
      return statement;
    }
    statement->kind = StatementKind::kSetBlock;
    statement->value = expressions_.filters(nullptr, false);
    statement->branches.push_back({nullptr, inner_body("endset")});
    return statement;
  }

  StatementPtr macro_tag() {
    StatementPtr statement = make(StatementKind::kMacro);
    tokens_.take();
    statement->macro.name = tokens_.take_name();
    take_parameters(statement->macro);
    take_macro_body(statement->macro, "endmacro");
    return statement;
  }

  StatementPtr call_tag() {
    StatementPtr statement = make(StatementKind::kCall);
    tokens_.take();
    if (tokens_.current().is_operator("(")) take_parameters(statement->macro);
    statement->value = expressions_.expression();
    if (statement->value->kind != ExpressionKind::kCall) tokens_.fail_here("'call' needs a call");
    take_macro_body(statement->macro, "endcall");
    return statement;
  }

  void take_parameters(MacroSyntax& macro) {
    tokens_.expect_operator("(");
    while (!tokens_.failed() && !tokens_.current().is_operator(")")) {
      if (!macro.parameters.empty()) tokens_.expect_operator(",");
      Parameter parameter;
      parameter.name = tokens_.take_name();
      if (tokens_.skip_operator("=")) {
        parameter.fallback = expressions_.expression();
      } else if (!macro.parameters.empty() && macro.parameters.back().fallback != nullptr) {
        tokens_.fail_here("a parameter without a default follows one that has a default");
      }
      if (parameter.name == "caller" && parameter.fallback == nullptr) {
        tokens_.fail_here("the parameter 'caller' needs a default");
      }
      macro.parameters.push_back(std::move(parameter));
    }
    tokens_.expect_operator(")");
  }

  void take_macro_body(MacroSyntax& macro, std::string_view end) {
    const SpecialNames outer = expressions_.special_names();
    expressions_.special_names() = {};
    macro.body = inner_body(end);
    SpecialNames& names = expressions_.special_names();
    macro.uses_caller = names.caller;
    macro.uses_varargs = names.varargs;
    macro.uses_kwargs = names.kwargs;
    names.caller |= outer.caller;
    names.varargs |= outer.varargs;
    names.kwargs |= outer.kwargs;
  }

  StatementPtr filter_tag() {
    StatementPtr statement = make(StatementKind::kFilter);
    tokens_.take();
    statement->value = expressions_.filters(nullptr, true);
    statement->branches.push_back({nullptr, inner_body("endfilter")});
    return statement;
  }

  StatementPtr with_tag() {
    StatementPtr statement = make(StatementKind::kWith);
    tokens_.take();
    while (tokens_.current().kind == TokenKind::kName) {
      ExpressionPtr target = expressions_.target(false);
      tokens_.expect_operator("=");
      statement->assignments.emplace_back(std::move(target), expressions_.expression());
      if (!tokens_.skip_operator(",")) break;
    }
    const Conditional conditional(*this, false);
    statement->branches.push_back({nullptr, closed_body("endwith")});
    return statement;
  }

  StatementPtr print_tag() {
    StatementPtr statement = make(StatementKind::kOutput);
    tokens_.take();
    statement->value = expressions_.expression();
    return statement;
  }

  StatementPtr generation_tag() {
    StatementPtr statement = make(StatementKind::kScope);
    tokens_.take();
    statement->branches.push_back({nullptr, inner_body("endgeneration")});
    return statement;
  }

  StatementPtr break_tag() { return loop_control(StatementKind::kBreak); }
  StatementPtr continue_tag() { return loop_control(StatementKind::kContinue); }
  StatementPtr loop_control(StatementKind kind) {
    if (loop_depth_ == 0)
      tokens_.fail_here(in_quotes(tokens_.current().text) + " outside of a loop");
    StatementPtr statement = make(kind);
    tokens_.take();
    return statement;
  }

  // A body whose output is taken as a text. A loop around it cannot be left from inside.
  Body inner_body(std::string_view end) {
    const Conditional conditional(*this, false);
    const int outer_depth = loop_depth_;
    loop_depth_ = 0;
    Body statements = closed_body(end);
    loop_depth_ = outer_depth;
    return statements;
  }

  // Says whether what is parsed may not run, as long as it lives.
  class Conditional {
   public:
    Conditional(Parser& parser, bool value)
        : flag_(parser.expressions_.is_conditional), outer_(flag_) {
      flag_ = value;
    }
    ~Conditional() { flag_ = outer_; }
    Conditional(const Conditional&) = delete;
    Conditional& operator=(const Conditional&) = delete;

   private:
    bool& flag_;
    const bool outer_;
  };

  TokenStream& tokens_;
  ExpressionParser expressions_;
  int loop_depth_ = 0;
};

}  // namespace

Body parse_template(std::string_view source, const TemplateLimits& limits,
                    std::optional<Failure>& failure) {
  TokenStream tokens(tokens_of(source, failure), limits.nesting_max, failure);
  Body root = Parser(tokens).body({});
  if (!failure) find_unset_names(root);
  return root;
}

}  // namespace kvasir::text::jinja
