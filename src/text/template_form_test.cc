#include "text/template_form.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>

#include "text/test_support.h"

namespace kvasir::text {
namespace {

using Ids = std::vector<int32_t>;

// Every role has a turn of its own, as in many models' templates.
const std::string kPlain =
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% if enable_thinking %}<think>\n{% endif %}"
    "{% endif %}";
// Questions and answers in turn, and nothing else.
const std::string kStrict =
    "{% for m in messages %}"
    "{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}"
    "{% if m.role not in ['user', 'assistant'] %}{{ raise_exception('no such role') }}{% endif %}"
    "<{{ m.role }}>{{ m.content | trim }}</>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}";
// The first message may be a system's or a developer's; others of theirs are lost.
const std::string kFirstAlone =
    "{% if messages[0].role in ['system', 'developer'] %}[{{ messages[0].content }}]"
    "{% endif %}{% for m in messages %}{% if m.role in ['user', 'assistant'] %}"
    "<{{ m.role }}>{{ m.content }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}";

Message said(Role role, std::string text) { return {.role = role, .parts = {std::move(text)}}; }
Message system(std::string text) { return said(Role::kSystem, std::move(text)); }
Message developer(std::string text) { return said(Role::kDeveloper, std::move(text)); }
Message user(std::string text) { return said(Role::kUser, std::move(text)); }
Message assistant(std::string text) { return said(Role::kAssistant, std::move(text)); }

class Form {
 public:
  explicit Form(const std::string& source)
      : template_(ChatTemplate::parse({.text = source}, "test").value()),
        form_(template_, fixture_tokenizer()) {}

  Result<FormedPrompt> encode(const std::vector<Message>& messages,
                              const FormOptions& options = {}) const {
    return form_.encode(messages, options);
  }
  std::string text(const std::vector<Message>& messages, const FormOptions& options = {}) const {
    const auto formed = encode(messages, options);
    return formed.ok() ? fixture_tokenizer().decode(formed->tokens) : formed.error().message();
  }

 private:
  ChatTemplate template_;
  TemplateForm form_;
};

TEST(TemplateForm, HandsMessagesToTheTemplateAsTheyAre) {
  const Form form(kPlain);
  EXPECT_EQ(
      form.text({system("s"), system("t"), user("u"), user("v"), assistant(""), user("w")}),
      "<|system|>s\n<|system|>t\n<|user|>u\n<|user|>v\n<|assistant|>\n<|user|>w\n<|assistant|>");
}

// The template prints what it is handed.
TEST(TemplateForm, HandsToolsToTheTemplate) {
  const Form form("{% if tools %}{{ tools | tojson }}{% else %}no tools{% endif %}" + kPlain);
  FormOptions options{
      .tools = {{.name = "f", .description = "d", .parameters = R"({"b":1})"}, {"g"}}};
  const std::string g =
      R"({"type": "function", "function": {"name": "g", "description": "", "parameters": )"
      R"({"type": "object", "properties": {}}}})";
  const std::string plain = "<|user|>u\n<|assistant|>";
  EXPECT_EQ(form.text({user("u")}, options),
            R"([{"type": "function", "function": {"name": "f", "description": "d", "parameters": )"
            R"({"b": 1}}}, )" +
                g + "]" + plain);
  options.tool_choice = ToolChoice::kNamed;
  options.tool_name = "g";
  EXPECT_EQ(form.text({user("u")}, options), "[" + g + "]" + plain);
  options.tool_choice = ToolChoice::kNone;
  EXPECT_EQ(form.text({user("u")}, options), "no tools" + plain);
  options = {.tools = {{.name = "f", .parameters = "{"}}};
  const auto bent = form.encode({user("u")}, options);
  ASSERT_FALSE(bent.ok());
  EXPECT_EQ(bent.error().field, "tools[0].parameters");
}

TEST(TemplateForm, ADeveloperIsASystemWhereTheTemplateDoesNotNameIt) {
  EXPECT_EQ(Form(kPlain).text({developer("d"), user("u")}),
            "<|system|>d\n<|user|>u\n<|assistant|>");
  const Form knows(kPlain + "{# 'developer' #}");
  EXPECT_EQ(knows.text({developer("d"), user("u")}), "<|developer|>d\n<|user|>u\n<|assistant|>");
}

TEST(TemplateForm, MessagesInTheMiddleStayThere) {
  EXPECT_EQ(Form(kPlain).text({user("u"), assistant("a"), system("s"), user("v")}),
            "<|user|>u\n<|assistant|>a\n<|system|>s\n<|user|>v\n<|assistant|>");
  EXPECT_EQ(
      Form(kFirstAlone)
          .text({system("f"), user("u"), assistant("a"), developer("d"), system(""), user("v")}),
      "[f]<user>u<assistant>a<user><system-reminder>\nd\n</system-reminder><user>v<assistant>");
  EXPECT_EQ(Form(kStrict).text({user("u"), assistant("a"), system("s"), user("v")}),
            "<user>u</><assistant>a</><user><system-reminder>\ns\n</system-reminder>\n\nv</>"
            "<assistant>");
}

TEST(TemplateForm, WhatATemplateWouldLoseAtTheStartJoinsWhatItTells) {
  EXPECT_EQ(Form(kFirstAlone).text({system("s"), developer("d"), system("t"), user("u")}),
            "[s\n\nd\n\nt]<user>u<assistant>");
  EXPECT_EQ(Form(kStrict).text({system("s"), developer("d"), user("u"), assistant("a"), user("v")}),
            "<user>s\n\nd\n\nu</><assistant>a</><user>v</><assistant>");
}

TEST(TemplateForm, ATemplateThatInsistsOnTurnsGetsThem) {
  const Form form(kStrict);
  EXPECT_EQ(form.text({user("u"), user("v"), assistant("a"), assistant("b"), user("w")}),
            "<user>u\n\nv</><assistant>a\n\nb</><user>w</><assistant>");
  EXPECT_EQ(form.text({assistant("a"), user("u")}),
            "<user></><assistant>a</><user>u</><assistant>");
  EXPECT_EQ(form.text({system("s"), assistant("a"), user("u")}),
            "<user>s</><assistant>a</><user>u</><assistant>");
  EXPECT_EQ(form.text({system("s")}), "<user>s</><assistant>");
}

TEST(TemplateForm, PartsAreLinesOrAListWhereTheTemplateReadsOne) {
  const Message parts{.parts = {"a", "b"}};
  EXPECT_EQ(Form(kPlain).text({parts}), "<|user|>a\nb\n<|assistant|>");
  const Form reads_lists(
      "{% for m in messages %}{% if m.content is string %}{{ m.content }}{% else %}"
      "{% for part in m.content %}({{ part.text }}){% endfor %}{% endif %}{% endfor %}");
  EXPECT_EQ(reads_lists.text({parts, user("c")}), "(a)(b)c");
  const Form wants_lists(
      "{% for m in messages %}{% for part in m.content %}({{ part.text }}){% endfor %}{% endfor "
      "%}");
  EXPECT_EQ(wants_lists.text({user("c"), {.role = Role::kAssistant}}), "(c)");
}

TEST(TemplateForm, NoContentIsAnEmptyText) {
  EXPECT_EQ(Form(kPlain).text({user("u"), {.role = Role::kAssistant}, user("v")}),
            "<|user|>u\n<|assistant|>\n<|user|>v\n<|assistant|>");
}

TEST(TemplateForm, AnAnswerIsContinuedAfterItsLastCharacter) {
  const FormOptions continues{.continues_last = true};
  EXPECT_EQ(Form(kPlain).text({user("u"), assistant("It was ")}, continues),
            "<|user|>u\n<|assistant|>It was ");
  // This template trims, so the model never saw a blank there.
  EXPECT_EQ(Form(kStrict).text({user("u"), assistant("It was ")}, continues),
            "<user>u</><assistant>It was");
  EXPECT_EQ(Form(kStrict).text({user("u"), {.role = Role::kAssistant}}, continues),
            "<user>u</><assistant>");
  const auto question = Form(kPlain).encode({user("u")}, continues);
  ASSERT_FALSE(question.ok());
  EXPECT_EQ(question.error().field, "messages[0]");
  const Form forgets("{{ messages[0].content }}");
  EXPECT_EQ(forgets.encode({user("u"), assistant("a")}, continues).error().field, "messages[1]");
}

TEST(TemplateForm, ThinkingIsSaidOnlyWhereTheCallerSaysIt) {
  const Form form(
      "{{ enable_thinking | default('unsaid') }} {{ reasoning_effort | default('-') }}");
  const auto text = [&](Thinking thinking, Effort effort) {
    return form.text({user("u")}, {.thinking = thinking, .effort = effort});
  };
  EXPECT_EQ(text(Thinking::kNotSaid, Effort::kNotSaid), "unsaid -");
  EXPECT_EQ(text(Thinking::kOn, Effort::kNotSaid), "True -");
  EXPECT_EQ(text(Thinking::kNotSaid, Effort::kNone), "False -");
  EXPECT_EQ(text(Thinking::kNotSaid, Effort::kMinimal), "True low");
  EXPECT_EQ(text(Thinking::kNotSaid, Effort::kMax), "True high");
  EXPECT_EQ(text(Thinking::kOff, Effort::kMedium), "False medium");
  EXPECT_TRUE(Form(kPlain).encode({user("u")}, {.thinking = Thinking::kOn})->starts_in_reasoning);
  EXPECT_FALSE(Form(kPlain).encode({user("u")})->starts_in_reasoning);
}

TEST(TemplateForm, EffortIsTheNearestWordThatTheTemplateKnows) {
  const Form form(
      "{% if reasoning_effort is defined and reasoning_effort not in ['high', 'low', 'max'] %}"
      "{{ raise_exception('no such effort') }}{% endif %}{{ reasoning_effort }}");
  const auto text = [&](Effort effort) { return form.text({user("u")}, {.effort = effort}); };
  EXPECT_EQ(text(Effort::kNone), "low");  // it cannot be turned off
  EXPECT_EQ(text(Effort::kLow), "low");
  EXPECT_EQ(text(Effort::kMedium), "high");
  EXPECT_EQ(text(Effort::kVeryHigh), "max");
  EXPECT_EQ(text(Effort::kNotSaid), "");
}

const std::string kTools =
    "{% for m in messages %}{% for c in m.tool_calls or [] %}"
    "{% if c.id | length != 9 %}{{ raise_exception('ids have 9 characters') }}{% endif %}"
    "{{ c.function.name }}({{ c.function.arguments | tojson }})#{{ c.id }};{% endfor %}"
    "{% if m.role == 'tool' %}{{ m.name }}#{{ m.tool_call_id }}={% endif %}"
    "{{ m.content }};{% endfor %}";

std::vector<Message> conversation_with_call(std::string id) {
  Message call{.role = Role::kAssistant, .calls = {{id, "f", "{\"a\": [1]}"}}};
  Message result = said(Role::kTool, "5");
  result.call_id = std::move(id);
  return {user("u"), std::move(call), std::move(result), assistant("five")};
}

// As gpt-oss' template does.
TEST(TemplateForm, ReasoningIsLeftOutWhereTheTemplateRefusesItBesideText) {
  const Form form(
      "{% for m in messages %}{% if m.tool_calls %}{% if m.content and m.thinking %}"
      "{{ raise_exception('both') }}{% endif %}[{{ m.thinking or m.content }}]"
      "{{ m.tool_calls[0].function.name }}({{ m.tool_calls[0].function.arguments | tojson }})"
      "{% else %}<{{ m.role }}>{{ m.content }}{% endif %}{% endfor %}");
  Message call = assistant("");
  call.reasoning = "Hm.";
  call.calls = {{.id = "1", .name = "f", .arguments = "{}"}};
  EXPECT_EQ(form.text({user("a"), call}), "<user>a[Hm.]f({})");
  call.parts = {"I look."};
  EXPECT_EQ(form.text({user("a"), call}), "<user>a[I look.]f({})");
}

TEST(TemplateForm, CallsAndResultsOfTheHistoryReachTheTemplate) {
  const Form form(kTools);
  EXPECT_EQ(form.text(conversation_with_call("abcdefgh1")),
            "u;f({\"a\": [1]})#abcdefgh1;;f#abcdefgh1=5;five;");
  EXPECT_EQ(form.text(conversation_with_call("call_of_another_length")),
            "u;f({\"a\": [1]})#000000000;;f#000000000=5;five;");
  EXPECT_EQ(Form(kStrict).text(conversation_with_call("abcdefgh1")),
            "<user>u</><assistant></><user><tool_result>5</tool_result></><assistant>five</>"
            "<assistant>");
}

TEST(TemplateForm, WhatTheTemplateRefusesIsNamed) {
  const Form form(kPlain +
                  "{% for m in messages %}{% if 'bad' in m.content %}"
                  "{{ raise_exception('Mind your words!') }}{% endif %}{% endfor %}");
  const auto formed = form.encode({user("u"), assistant("a"), user("bad"), assistant("b")});
  ASSERT_FALSE(formed.ok());
  EXPECT_EQ(formed.error().kind, ErrorKind::kUsage);
  EXPECT_EQ(formed.error().field, "messages[2]");
  EXPECT_NE(formed.error().what.find("Mind your words!"), std::string::npos);
  EXPECT_EQ(form.encode({}).error().field, "messages");
}

TEST(TemplateForm, TextForgesNoMarker) {
  const Form form(kPlain);
  const int32_t marker = fixture_tokenizer().added_token_id("<think>").value();
  const Ids ids = form.encode({user("<think>")}, {.thinking = Thinking::kOn})->tokens;
  EXPECT_EQ(std::ranges::count(ids, marker), 1);
}

// So a cache of what was said so far serves what is said next.
TEST(TemplateForm, ALongerConversationBeginsWithTheShorterOne) {
  const std::vector<Message> messages = {system("s"),   user("u"), assistant("a"), system("late"),
                                         user("v"),     user("w"), assistant("b"), developer("d"),
                                         assistant(""), user("x")};
  for (const std::string& source : {kPlain, kStrict, kFirstAlone}) {
    const Form form(source);
    std::string before;
    for (const size_t count : {2, 6, 8, 10}) {
      const std::string text = form.text({messages.begin(), messages.begin() + count});
      EXPECT_TRUE(text.starts_with(before)) << text;
      before = text;
    }
  }
}

}  // namespace
}  // namespace kvasir::text
