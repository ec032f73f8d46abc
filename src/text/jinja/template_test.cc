#include "text/jinja/template.h"

#include <gtest/gtest.h>

#include "text/jinja/test_support.h"

namespace kvasir::text::jinja {
namespace {

TEST(Template, ErrorsSayTheLine) {
  expect_error("a\n\n{{ x.y.z }}", R"({"x": {}})", ErrorKind::kUsage,
               "'dict object' has no attribute 'y', test, line 3");
  expect_error("a\n{% if %}", "{}", ErrorKind::kDamaged, "an expression is missing before '%}'");
  expect_error("a\n{% if %}", "{}", ErrorKind::kDamaged, "test, line 2");
  expect_error("{% macro m() %}\n\n{{ 1 / 0 }}{% endmacro %}\n{{ m() }}", "{}", ErrorKind::kUsage,
               "division by zero, test, line 3");
}

TEST(Template, RaiseExceptionGivesItsMessage) {
  expect_error("{{ raise_exception('roles must ' ~ x) }}", R"({"x": "alternate"})",
               ErrorKind::kUsage, "roles must alternate");
}

TEST(Template, UnknownNamesFailWhereTheyMayRun) {
  expect_error("{{ 1 | nope }}", "{}", ErrorKind::kDamaged, "there is no filter named 'nope'");
  expect_error("{{ 1 is nope }}", "{}", ErrorKind::kDamaged, "there is no test named 'nope'");
  expect_marked("{% if false %}{{ 1 | nope }}{% endif %}ok", "{}", "[ok]");
  expect_error("{% if true %}{{ 1 | nope }}{% endif %}", "{}", ErrorKind::kUsage,
               "there is no filter named 'nope'");
}

TEST(Template, WhatIsNotSupportedSaysSo) {
  for (const char* source :
       {"{% include 'x' %}", "{% block a %}{% endblock %}", "{{ [1] | groupby('a') }}",
        "{% for x in [] recursive %}{% endfor %}", "{{ cycler('a') }}", "{{ 'a'.translate({}) }}",
        "{{ 'a' | map('upper') }}", "{{ range(5)[1:] }}", "{{ '\\N{DASH}' }}"}) {
    expect_error(source, "{}", ErrorKind::kUnsupported, "");
  }
}

TEST(Template, IntegersHave64Bits) {
  for (const char* source :
       {"{{ 9223372036854775807 + 1 }}", "{{ -9223372036854775807 - 2 }}", "{{ 2 ** 63 }}",
        "{{ 4611686018427387904 * 2 }}", "{{ -(-9223372036854775807 - 1) }}",
        "{{ (-9223372036854775807 - 1) // -1 }}", "{{ 1e30 | int }}",
        "{{ '99999999999999999999' | int }}", "{{ '%d' % 1e30 }}"}) {
    expect_error(source, "{}", ErrorKind::kUnsupported, "64 bits");
  }
  expect_error("{{ 99999999999999999999 }}", "{}", ErrorKind::kDamaged, "64 bits");
  expect_marked("{{ (-9223372036854775807 - 1) % -1 }}", "{}", "0");
}

TEST(Template, TimeIsGiven) {
  const auto made =
      Template::parse("{{ strftime_now('%d %b %Y %H:%M') }}|{{ strftime_now('') }}", "test");
  ASSERT_TRUE(made.ok());
  std::tm now{};
  now.tm_year = 125;
  now.tm_mon = 6;
  now.tm_mday = 4;
  now.tm_hour = 9;
  const auto segments = made->render({}, now);
  ASSERT_TRUE(segments.ok());
  EXPECT_EQ(text_of(*segments), "04 Jul 2025 09:00|");
}

TEST(Template, BytesThatAreNoUtf8AreRefusedInSources) {
  const auto made = Template::parse("ab\xFF", "test");
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().offset, 2u);
}

TEST(Template, BytesThatAreNoUtf8PassThroughFromVariables) {
  Dict variables;
  variables.add(Value::text("x"), Value::text("a\xFF\xC3"));
  const auto made = Template::parse(
      "{{ x }}{{ x | upper }}{{ x[1] }}{{ x | length }}{{ x.split('a') }}{{ x | tojson }}", "test");
  ASSERT_TRUE(made.ok());
  const auto segments = made->render(variables);
  ASSERT_TRUE(segments.ok());
  EXPECT_TRUE(
      text_of(*segments).starts_with("a\xFF\xC3"
                                     "A\xFF\xC3\xFF"));
}

// ---- limits -------------------------------------------------------------------------------------

void expect_limit(const std::string& source, const TemplateLimits& limits,
                  const std::string& message) {
  expect_error(source, "{}", ErrorKind::kNoRoom, message, limits);
}

TEST(TemplateLimits, BoundTheSource) {
  expect_limit("12345", {.source_bytes_max = 4}, "at most 4 bytes");
}

TEST(TemplateLimits, BoundNesting) {
  const int depth = 100000;
  std::string brackets(depth, '(');
  std::string nots;
  std::string sums = "{{ 1";
  std::string filters = "{{ 1";
  std::string ifs;
  for (int i = 0; i < 20000; ++i) {
    nots += "not ";
    sums += " + 1";
    filters += " | string";
    ifs += "{% if true %}";
  }
  for (const std::string& source :
       {"{{ " + brackets, "{{ " + nots + "1 }}", sums + " }}", filters + " }}", ifs,
        "{{ " + std::string(depth, '-') + "1 }}", "{{ " + std::string(depth, '[')}) {
    expect_limit(source, {}, "nested too deep");
  }
}

TEST(TemplateLimits, BoundSteps) {
  expect_limit("{% for i in range(1000) %}{% endfor %}", {.steps_max = 1000}, "too many steps");
  expect_limit("{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
               {.steps_max = 500'000}, "too many steps");
  expect_limit("{{ [0] * 9223372036854775807 }}", {}, "too many steps");
  expect_limit("{{ [1, 2] * 9223372036854775807 }}", {}, "too many steps");
  expect_limit("{{ [1] | batch(100000000, 'x') | list }}", {}, "too many steps");
}

TEST(TemplateLimits, BoundTexts) {
  expect_limit("{{ 'ab' * 9223372036854775807 }}", {}, "too many bytes");
  expect_limit("{{ 'a'.center(9223372036854775807) }}", {}, "too many bytes");
  expect_limit("{{ '%9000000000d' % 5 }}", {}, "too many bytes");
  expect_limit("{{ '{:>9000000000}'.format(5) }}", {}, "too many bytes");
  expect_limit("{{ 'x' | indent(9000000000, true) }}", {}, "too many bytes");
  expect_limit("{{ [[]] | tojson(indent=9000000000) }}", {}, "too many bytes");
  expect_limit("{% for i in range(20) %}{{ 'x' * 100 }}{% endfor %}", {.text_bytes_max = 1000},
               "too many bytes");
  expect_limit(
      "{% set ns = namespace(t='x') %}{% for i in range(100) %}"
      "{% set ns.t = ns.t + ns.t %}{% endfor %}",
      {}, "too many bytes");
  expect_limit("{% for i in range(100) %}{% set x = 'y' * 100 %}{% endfor %}",
               {.all_texts_bytes_max = 5000}, "too many bytes");
}

TEST(TemplateLimits, BoundMacrosThatCallThemselves) {
  expect_limit("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", {}, "too deep");
  expect_limit(
      "{% macro m(x) %}{% if x %}{% for i in [1] %}{{ m(x) | trim }}{% endfor %}{% endif %}"
      "{% endmacro %}{{ m(1) }}",
      {}, "too deep");
  expect_limit("{% macro m() %}{% call m() %}{{ caller() }}{% endcall %}{% endmacro %}{{ m() }}",
               {}, "too deep");
}

TEST(TemplateLimits, BoundValuesInsideValues) {
  for (const char* grown : {"[ns.x]", "{'a': ns.x}", "(ns.x,)", "[ns.x] | batch(1) | list",
                            "{'a': ns.x}.get", "dict(a=ns.x)"}) {
    expect_limit("{% set ns = namespace(x=1) %}{% for i in range(100000) %}{% set ns.x = " +
                     std::string(grown) + " %}{% endfor %}",
                 {}, "too deep");
  }
  expect_limit(
      "{% set ns = namespace(x=[1]) %}{% for i in range(100000) %}{% for j in ns.x %}"
      "{% set ns.x = [loop] %}{% endfor %}{% endfor %}",
      {}, "too deep");
}

TEST(TemplateLimits, BoundNamespacesThatHoldThemselves) {
  expect_limit("{% set ns = namespace() %}{% set ns.x = [ns] %}{{ ns }}", {}, "too deep");
  expect_marked("{% set ns = namespace() %}{% set ns.x = ns %}{{ ns.x.x == ns }}", "{}", "True");
}

TEST(Template, AMacroDoesNotOutliveItsBlock) {
  expect_error(
      "{% set ns = namespace() %}{% for i in [1] %}{% macro m() %}{{ i }}{% endmacro %}"
      "{% set ns.m = m %}{% endfor %}{{ ns.m() }}",
      "{}", ErrorKind::kUnsupported, "after the block that holds it has ended");
}

}  // namespace
}  // namespace kvasir::text::jinja
