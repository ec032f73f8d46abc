#include "text/jinja/unset_names.h"

#include <map>
#include <set>
#include <string>
#include <string_view>

namespace kvasir::text::jinja {
namespace {

// What is known of the names of a scope, or of one branch in it. A branch adds to what lies below.
struct Names {
  const Names* below = nullptr;  // of the same scope
  const Names* outer = nullptr;  // the scope around it
  std::map<std::string_view, bool> is_unset;
  std::set<std::string_view> stored;

  const bool* find_here(std::string_view name) const {
    for (const Names* names = this; names != nullptr; names = names->below) {
      const auto found = names->is_unset.find(name);
      if (found != names->is_unset.end()) return &found->second;
    }
    return nullptr;
  }
  bool is_known_outside(std::string_view name) const {
    const Names* names = this;
    while (names->below != nullptr) names = names->below;
    for (names = names->outer; names != nullptr; names = names->outer) {
      if (names->is_unset.contains(name)) return true;
    }
    return false;
  }
  bool is_stored(std::string_view name) const {
    for (const Names* names = this; names != nullptr; names = names->below) {
      if (names->stored.contains(name)) return true;
    }
    return false;
  }

  void load(std::string_view name) {
    if (find_here(name) == nullptr && !is_known_outside(name)) is_unset[name] = false;
  }
  void store(std::string_view name) {
    stored.insert(name);
    if (find_here(name) == nullptr) is_unset[name] = !is_known_outside(name);
  }
  void declare(std::string_view name) {
    stored.insert(name);
    is_unset[name] = false;
  }
};

void load_names(const Expression* expression, Names& names);

void load_names(const CallArguments& arguments, Names& names) {
  for (const ExpressionPtr& one : arguments.positional) load_names(one.get(), names);
  for (const auto& [name, value] : arguments.named) load_names(value.get(), names);
  load_names(arguments.spread.get(), names);
  load_names(arguments.spread_named.get(), names);
}

void load_names(const Expression* expression, Names& names) {
  if (expression == nullptr) return;
  if (expression->kind == ExpressionKind::kName) names.load(expression->name);
  for (const ExpressionPtr& part : expression->parts) load_names(part.get(), names);
  load_names(expression->arguments, names);
}

void store_names(const Expression& target, Names& names) {
  if (target.kind == ExpressionKind::kName) names.store(target.name);
  if (target.kind == ExpressionKind::kNamespaceMember) names.load(target.name);
  for (const ExpressionPtr& part : target.parts) store_names(*part, names);
}

void declare_names(const Expression& target, Names& names) {
  if (target.kind == ExpressionKind::kName) names.declare(target.name);
  for (const ExpressionPtr& part : target.parts) declare_names(*part, names);
}

void visit(const Body& body, Names& names);

// One branch of an if on its own.
Names branch_names(const Body& body, const Names& before) {
  Names names;
  names.below = &before;
  visit(body, names);
  return names;
}

// Takes over what branches know. A name that some of them do not set is looked up outside.
void merge(std::vector<Names>& branches, Names& names) {
  std::map<std::string_view, size_t> store_counts;
  for (const Names& branch : branches) {
    for (std::string_view name : branch.stored) {
      if (!names.is_stored(name)) ++store_counts[name];
    }
  }
  for (const Names& branch : branches) {
    for (const auto& [name, is_unset] : branch.is_unset) names.is_unset[name] = is_unset;
    names.stored.insert(branch.stored.begin(), branch.stored.end());
  }
  for (const auto& [name, count] : store_counts) {
    if (count < branches.size()) names.is_unset[name] = false;
  }
}

// An elif counts as an if of its own inside one branch that all of them share.
void visit_if(const Statement& statement, Names& names) {
  const auto& all = statement.branches;
  load_names(all.front().condition.get(), names);
  std::vector<Names> branches;
  branches.push_back(branch_names(all.front().body, names));
  Names others;
  others.below = &names;
  for (size_t i = 1; i < all.size() && all[i].condition != nullptr; ++i) {
    load_names(all[i].condition.get(), others);
    std::vector<Names> one;
    one.push_back(branch_names(all[i].body, others));
    one.resize(3);
    merge(one, others);
  }
  branches.push_back(std::move(others));
  const bool has_else = all.size() > 1 && all.back().condition == nullptr;
  branches.push_back(has_else ? branch_names(all.back().body, names) : Names());
  merge(branches, names);
}

void visit(const Statement& statement, Names& names) {
  switch (statement.kind) {
    case StatementKind::kIf:
      return visit_if(statement, names);
    case StatementKind::kSet:
      load_names(statement.value.get(), names);
      return store_names(*statement.target, names);
    case StatementKind::kSetBlock:
      return store_names(*statement.target, names);
    case StatementKind::kMacro:
      return names.store(statement.macro.name);
    case StatementKind::kWith:
      for (const auto& assignment : statement.assignments) {
        load_names(assignment.second.get(), names);
      }
      return;
    default:
      return load_names(statement.value.get(), names);
  }
}

void visit(const Body& body, Names& names) {
  for (const auto& statement : body.statements) visit(*statement, names);
}

// ---- scopes -------------------------------------------------------------------------------------

void visit_inner_scopes(Body& body, const Names& names);

// `names` has what the scope declares.
void visit_scope(Body& body, Names& names) {
  visit(body, names);
  for (const auto& [name, is_unset] : names.is_unset) {
    if (is_unset) body.unset_names.emplace_back(name);
  }
  visit_inner_scopes(body, names);
}

void visit_macro(MacroSyntax& macro, const Names& outer) {
  Names names;
  names.outer = &outer;
  for (const Parameter& parameter : macro.parameters) names.declare(parameter.name);
  for (const Parameter& parameter : macro.parameters) load_names(parameter.fallback.get(), names);
  visit_scope(macro.body, names);
}

void visit_inner_scopes(Statement& statement, const Names& outer) {
  if (statement.kind == StatementKind::kMacro || statement.kind == StatementKind::kCall) {
    return visit_macro(statement.macro, outer);
  }
  if (statement.kind == StatementKind::kIf) {
    for (Branch& branch : statement.branches) visit_inner_scopes(branch.body, outer);
    return;
  }
  for (size_t i = 0; i < statement.branches.size(); ++i) {
    Names names;
    names.outer = &outer;
    const bool is_loop_body = statement.kind == StatementKind::kFor && i == 0;
    if (is_loop_body) declare_names(*statement.target, names);
    if (is_loop_body) names.declare("loop");
    for (const auto& assignment : statement.assignments) declare_names(*assignment.first, names);
    visit_scope(statement.branches[i].body, names);
  }
}

void visit_inner_scopes(Body& body, const Names& names) {
  for (auto& statement : body.statements) visit_inner_scopes(*statement, names);
}

}  // namespace

void find_unset_names(Body& root) {
  Names names;
  visit_scope(root, names);
}

}  // namespace kvasir::text::jinja
