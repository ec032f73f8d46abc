// These functions do what Python's operators do with values. What Python refuses fails; so does an
// integer that leaves 64 bits. They look at no more than the budget allows. Free functions
// without state.
#pragma once

#include <cstdint>
#include <optional>

#include "text/jinja/limits.h"
#include "text/jinja/value.h"

namespace kvasir::text::jinja {

enum class Arithmetic : uint8_t {
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kFloorDivide,
  kModulo,
  kPower,
};
enum class Comparison : uint8_t { kEqual, kNotEqual, kLess, kLessEqual, kGreater, kGreaterEqual };

// bool(value)
bool is_true(const Value& value);
// The value as an integer, as int and bool are; nothing for other kinds.
std::optional<int64_t> integer_of(const Value& value);
// The same with floats.
std::optional<double> number_of(const Value& value);

Value calculate(Arithmetic operation, const Value& left, const Value& right, Budget& budget);
Value negated(const Value& value, Budget& budget);

bool are_equal(const Value& left, const Value& right, Budget& budget);
bool compare(Comparison comparison, const Value& left, const Value& right, Budget& budget);
// `item in container`
bool contains(const Value& container, const Value& item, Budget& budget);
// The member of a dict under a key of any kind. Fails for keys that Python cannot hash.
const Value* find_key(const Dict& dict, const Value& key, Budget& budget);

// The items that a for loop sees: a list's, a text's characters, a dict's keys; nothing of an
// undefined value. Takes all that a generator has left.
std::vector<Value> items_of(const Value& value, Budget& budget);
// len(value). Nothing where Python has none.
std::optional<int64_t> length_of(const Value& value);

// A list of that kind, within the budget.
Value make_list(ListKind kind, std::vector<Value> items, Budget& budget);
Value make_dict(Dict dict, Budget& budget);
Value repeated(const TracedText& text, int64_t count, Budget& budget);

}  // namespace kvasir::text::jinja
