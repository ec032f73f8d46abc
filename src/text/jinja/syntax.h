// The syntax of a template as a tree: an Expression has a value, a Statement writes output or
// changes names. Both hold what the parser found and nothing of a rendering, so any number of
// renderings may read one tree at the same time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "text/jinja/operators.h"
#include "text/jinja/value.h"

namespace kvasir::text::jinja {

struct Expression;
using ExpressionPtr = std::unique_ptr<Expression>;

enum class ExpressionKind : uint8_t {
  kConstant,
  kName,             // name
  kNamespaceMember,  // name.member, as a target
  kList,             // parts
  kTuple,            // parts
  kDict,             // parts: key, value, key, value ...
  kAttribute,        // parts[0].member
  kItem,             // parts[0][parts[1]]
  kSlice,            // in the place of a kItem's key: start, stop, step; any may be null
  kCall,             // parts[0](arguments)
  kFilter,           // parts[0] | member(arguments); null: the text of the block it stands for
  kTest,             // parts[0] is member(arguments)
  kNot,
  kNegative,
  kPositive,
  kAnd,
  kOr,
  kCondition,   // parts[1] if parts[0] else parts[2]; the last may be missing
  kComparison,  // parts[0] < parts[1] == parts[2]
  kConcatenation,
  kArithmetic,
};

struct ComparisonStep {
  bool is_membership = false;
  bool is_negated = false;  // not in
  Comparison comparison = Comparison::kEqual;
};

struct CallArguments {
  std::vector<ExpressionPtr> positional;
  std::vector<std::pair<std::string, ExpressionPtr>> named;
  ExpressionPtr spread;        // *more
  ExpressionPtr spread_named;  // **more
};

struct Expression {
  ExpressionKind kind = ExpressionKind::kConstant;
  int line = 0;
  int height = 1;  // of the tree from here
  std::string name;
  std::string member;
  Value constant;
  Arithmetic arithmetic = Arithmetic::kAdd;
  std::vector<ExpressionPtr> parts;
  std::vector<ComparisonStep> steps;  // of a kComparison
  CallArguments arguments;
};

struct Statement;

struct Body {
  std::vector<std::unique_ptr<Statement>> statements;
  // Where the body is a scope of its own: the names that are undefined in it until it sets them.
  std::vector<std::string> unset_names;
};

struct Parameter {
  std::string name;
  ExpressionPtr fallback;  // may be null
};

// A macro, or the body of a call block.
struct MacroSyntax {
  std::string name;  // empty for a call block
  std::vector<Parameter> parameters;
  Body body;
  // Whether the body mentions these names.
  bool uses_caller = false;
  bool uses_varargs = false;
  bool uses_kwargs = false;
};

enum class StatementKind : uint8_t {
  kText,      // text
  kOutput,    // value
  kIf,        // branches; one without a condition is last
  kFor,       // target, value, condition (may be null), branches: the body, what there is for none
  kSet,       // target, value
  kSetBlock,  // target, value (its filters, may be null), branches[0]
  kMacro,     // macro
  kCall,      // value, macro
  kFilter,    // value, branches[0]
  kWith,      // assignments, branches[0]
  kScope,     // branches[0]: a body with names of its own
  kBreak,
  kContinue,
};

struct Branch {
  ExpressionPtr condition;
  Body body;
};

struct Statement {
  StatementKind kind = StatementKind::kText;
  int line = 0;
  TracedText text;
  ExpressionPtr target;
  ExpressionPtr value;
  ExpressionPtr condition;
  std::vector<Branch> branches;
  std::vector<std::pair<ExpressionPtr, ExpressionPtr>> assignments;
  MacroSyntax macro;
};

}  // namespace kvasir::text::jinja
