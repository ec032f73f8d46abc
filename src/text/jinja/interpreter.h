// An Interpreter renders one template once: it walks the syntax tree, keeps the names that are set,
// and gathers the output. Everything it calls may throw a Failure.
//
// It belongs to one rendering, and owns the namespaces that the rendering makes.
#pragma once

#include <ctime>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/jinja/limits.h"
#include "text/jinja/syntax.h"
#include "text/jinja/value.h"

namespace kvasir::text::jinja {

class Interpreter {
 public:
  // What it is given must outlive it. `now` is what strftime_now() tells.
  Interpreter(const TemplateLimits& limits, const Dict& variables, const std::tm& now);

  TracedText run(const Body& body);

  Budget& budget() { return budget_; }
  const std::tm& now() const { return now_; }
  // Where it stands in the source.
  int line() const { return line_; }

  Value call(const Value& callee, const Arguments& arguments);
  // What a template is given to call, or the method of a value. `depth`: of the values it holds.
  Value make_callable(std::string name,
                      std::function<Value(Interpreter&, const Arguments&)> function, int depth);
  Namespace* make_namespace();

 private:
  struct Scope {
    std::shared_ptr<Scope> parent;
    std::map<std::string_view, Value> names;
  };
  enum class Flow { kNext, kBreak, kContinue };
  class InnerScope;

  // Statements.
  Flow run_body(const Body& body);
  Flow run_statement(const Statement& statement);
  Flow run_if(const Statement& statement);
  Flow run_for(const Statement& statement);
  Flow run_items(const Statement& statement, const std::shared_ptr<Loop>& loop);
  std::shared_ptr<Loop> make_loop(const Statement& statement);
  bool passes(const Statement& statement, const Value& item);
  Flow run_with(const Statement& statement);
  void run_set_block(const Statement& statement);
  void run_call(const Statement& statement);
  void run_macro(const Statement& statement);
  Flow run_scope(const Body& body);
  void begin_scope(const Body& body);
  void write(const TracedText& text);
  // The output of a body in a scope of its own.
  TracedText captured(const Body& body);
  Value filtered(const Statement& statement, TracedText text);

  void assign(const Expression& target, Value value);
  void assign_all(const Expression& target, const Value& values);

  // Macros.
  Value make_macro(const MacroSyntax& macro, std::string name);
  Value call_macro(const MacroSyntax& macro, const std::shared_ptr<Scope>& scope,
                   const Arguments& arguments);
  void bind_parameters(const MacroSyntax& macro, const Arguments& arguments);
  void bind_special_names(const MacroSyntax& macro, const Arguments& arguments);

  // Expressions.
  Value evaluate(const Expression& expression);
  Value evaluate_name(const std::string& name);
  std::vector<Value> evaluate_all(const std::vector<ExpressionPtr>& expressions);
  Value evaluate_dict(const Expression& expression);
  Value evaluate_item(const Expression& expression);
  Value evaluate_slice(const Value& object, const Expression& slice);
  Value evaluate_call(const Expression& expression);
  Value evaluate_filter(const Expression& expression);
  Value evaluate_condition(const Expression& expression);
  Value evaluate_comparison(const Expression& expression);
  Value evaluate_concatenation(const Expression& expression);
  Value evaluate_positive(const Expression& expression);
  Arguments evaluate_arguments(const CallArguments& arguments);

  Budget budget_;
  const Dict& variables_;
  const std::tm now_;
  int line_ = 1;
  std::vector<std::unique_ptr<Namespace>> namespaces_;
  std::shared_ptr<Scope> scope_;
  TracedText output_;
  Value block_text_;  // what a filter without an input gets
};

}  // namespace kvasir::text::jinja
