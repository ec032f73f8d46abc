// A JsonText builds the parts of a grammar that JSON consists of: strings, numbers, what stands
// between values. It refers to its builder. One thread at a time.
//
// Between values there may be a blank or a line break with up to 32 blanks, and behind a colon a
// blank: as compact and as pretty-printed JSON have it, and no white space without end. Numbers
// have at most 18 digits before and 17 behind the point.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/builder.h"

namespace kvasir::grammar {

class JsonText {
 public:
  explicit JsonText(Builder& builder);

  NodeId gap() const { return gap_; }      // inside brackets, behind a comma
  NodeId colon() const { return colon_; }  // and a blank
  NodeId comma() const { return comma_; }  // and a gap
  // One character of a string, escaped or not.
  NodeId character() const { return character_; }
  NodeId string() const { return string_; }
  NodeId quoted(NodeId characters) const;
  // One character as it is, of a text that is no JSON.
  NodeId plain_character();
  // The name of a member that is none of these, spelt without escapes.
  NodeId name_besides(std::vector<std::string> names) const;
  // Likewise without its quotes, and without <, > and =.
  NodeId plain_name_besides(std::vector<std::string> names) const;
  static bool is_plain_name(std::string_view name);
  NodeId integer() const { return integer_; }
  NodeId number() const { return number_; }
  NodeId boolean() const;
  // Any value, and any object.
  NodeId value();
  NodeId object();
  NodeId value_but_strings();

  // Members or elements between brackets: `inside` has no blanks at its ends.
  NodeId bracketed(char open, NodeId inside, char close) const;
  NodeId member(NodeId name, NodeId value) const;

  struct Bounds {
    std::optional<int64_t> min;
    std::optional<int64_t> max;
    bool excludes_min = false;
    bool excludes_max = false;
  };
  NodeId integer_within(const Bounds& bounds) const;
  // Without exponents.
  NodeId number_within(const Bounds& bounds) const;

 private:
  static constexpr int64_t kMagnitudeMax = 999'999'999'999'999'999;

  NodeId digits(int64_t min, int64_t max) const;
  NodeId whole_within(int64_t min, int64_t max) const;
  NodeId fraction(bool may_be_zero) const;
  NodeId magnitude_within(const Bounds& bounds, bool is_whole) const;
  NodeId within(const Bounds& bounds, bool is_whole) const;
  NodeId make_character() const;
  NodeId make_number() const;
  NodeId list();

  Builder& builder_;
  NodeId gap_;
  NodeId colon_;
  NodeId comma_;
  NodeId character_;
  NodeId string_;
  NodeId integer_;
  NodeId number_;
  std::optional<RuleId> value_;
  std::optional<NodeId> plain_character_;
};

}  // namespace kvasir::grammar
