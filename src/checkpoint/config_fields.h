// ConfigFields reads the members of one JSON object of a config, with types and bounds.
//
// It keeps the first failure, and every later read gives a harmless value. So a parser reads as a
// plain list of fields, and asks once, at the end, whether all went well. It borrows the object.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "kvasir/result.h"

namespace kvasir {

class ConfigFields {
 public:
  // Spellings of one field, the preferred one first; the first that is present counts.
  using Names = std::initializer_list<std::string_view>;

  // `prefix` stands before field names in messages: "rope_parameters.main.".
  ConfigFields(const Json& object, std::string_view path, std::string_view prefix = "");

  // Null when absent or JSON null.
  const Json* find(Names names) const;
  bool has(Names names) const { return find(names) != nullptr; }
  // Whether the field is there, even as null.
  bool mentions(std::string_view name) const { return object_.find(name) != nullptr; }

  // The value of a required field in [min, max].
  int64_t integer(Names names, int64_t min, int64_t max);
  double real(Names names, double min, double max);
  std::string text(Names names);
  // The same for an optional field.
  int64_t integer_or(Names names, int64_t min, int64_t max, int64_t absent);
  double real_or(Names names, double min, double max, double absent);
  bool boolean_or(Names names, bool absent);
  std::string text_or(Names names, std::string absent);
  // The items of an optional list, none when it is absent.
  std::vector<int64_t> integers(Names names, int64_t min, int64_t max);
  std::vector<double> reals(Names names, double min, double max);
  std::vector<bool> booleans(Names names);
  std::vector<std::string> texts(Names names);
  // One integer for each of `count` layers: a list of so many or more, or a number for all of them.
  std::vector<int64_t> layer_integers(Names names, int64_t count, int64_t min, int64_t max);

  // Refuses every value of an optional field but one: no other is implemented.
  void expect_text(Names names, std::string_view only);
  void expect_integer(Names names, int64_t only);
  void expect_false(Names names);

  void fail(std::string_view field, std::string_view what, std::string expected, const Json* found);
  void fail(const Error& error);
  // The field asks for what is sound and not supported.
  void refuse(std::string_view field, std::string_view what, std::string expected);
  const std::optional<Error>& error() const { return error_; }

  const std::string& path() const { return path_; }

 private:
  void fail_missing(Names names, std::string expected);
  template <class T, class Read>
  std::vector<T> list(Names names, std::string expected, const Read& read);
  std::string spelling_of(Names names) const;

  const Json& object_;
  std::string path_;
  std::string prefix_;
  std::optional<Error> error_;
};

}  // namespace kvasir
