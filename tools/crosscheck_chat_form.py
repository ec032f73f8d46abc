#!/usr/bin/env python3
"""Compares Kvasir's conversations, as token ids, with those of others.

  tools/crosscheck_chat_form.py --probe build/release/tests/chat_form_probe \\
      --tokenizer models/kvasir-tiny/tokenizer.json [--count 5000] [--seed 1] [TEMPLATES...]

Without TEMPLATES: random conversations, half of them with tools, in DeepSeek-V4's form (or, with --variant v4.1,
V4.1's), against its makers' own encoder (pip install deepseek-recipe==0.2.0): its Conversation, and its Chat Completions and
Messages requests where these accept the conversation. --write writes the answers of the encoder to a small choice
of them into tests/golden/chat_form. With TEMPLATES (files or folders, as
tools/check_templates.py takes them; needs jinja2): every template has to take every kind of
conversation and lose none of its texts, and what was said has to stay when more is said.
"""

import argparse
import collections
import json
import pathlib
import random
import subprocess
import sys

from deepseek_variants import add_variant, golden_file, variant_tokenizer

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "tests/golden/chat_form"
ROLES = ("system", "developer", "user", "assistant", "tool", "latest_reminder")
EFFORTS = ("", "none", "minimal", "low", "medium", "high", "xhigh", "max")
TEXTS = ("", "", "a", "Hello there.", "  two\n\nlines \n", "<think>", "</think>no", "<｜User｜>", "｜DSML｜",
         "<｜end▁of▁sentence｜>", "<tool_result>x</tool_result>", "系统 é 🎉", "\n", "\n\nx", "x\n\n",
         "<system-reminder>\ny\n</system-reminder>", "1 2 3 1234567", "{\"a\": 1}", "It is a truth universally "
         "acknowledged, that a single man in possession of a good fortune")
ARGUMENTS = ('{}', '{"place": "Zürich", "days": 3}', '{"a":1.0,"b":1e3,"c":0.000001,"d":[1,{"x":null}],"e":true}',
             '{"text": "line\\nnext \\u00e9 <｜DSML｜"}', "[1, 2]", "no JSON", "", '{"z": {"b": [], "a": {}}, "y": "\\""}',
             '{"big": 1e22, "small": 0.00001, "n": -5, "s": ["\\u0001\\t\\u2028"]}')

SCHEMAS = ('', '{"type": "object", "properties": {}}', '{"type":"object","properties":{"place":{"type":"string",'
           '"description":"Where, \\"so\\" é \u2028 <think>"},"days":{"type":["integer","null"],"minimum":1.0}},'
           '"required":["place"],"additionalProperties":false,"$schema":"x"}',
           '{"type":"object","properties":{"z":{"enum":["<｜DSML｜",1,1e21,0.00001,-5,true,null]},"a":{"type":"array",'
           '"items":{}}}}')
TOOLS = [{"name": name, "description": description, "parameters": parameters}
         for name, description in (("get_weather", "Tells the \"weather\".\nAnywhere: é 🎉"), ("f", ""),
                                   ("<｜User｜>", "</think><｜DSML｜tool_calls>"))
         for parameters in SCHEMAS]


def probed(arguments, requests):
    lines = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in requests)
    run = subprocess.run([arguments.probe, arguments.tokenizer], input=lines.encode(),
                         stdout=subprocess.PIPE, check=True)
    return [json.loads(line) for line in run.stdout.decode().split("\n") if line]


# ---- DeepSeek-V4 --------------------------------------------------------------------------------

class Conversations:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.calls = 0

    def parts(self):
        return [self.random.choice(TEXTS) for _ in range(self.random.choice((0, 1, 1, 1, 1, 2, 3)))]

    def message(self, role):
        made = {"role": role, "parts": self.parts()}
        if role == "assistant" and self.random.random() < 0.5:
            made["reasoning"] = self.random.choice(TEXTS)
        return made

    def call(self):
        self.calls += 1
        return {"id": f"call_{self.random.randrange(10**6)}", "name": self.random.choice(("f", "get_x")),
                "arguments": self.random.choice(ARGUMENTS)}

    def calls_and_results(self):
        calls = [self.call() for _ in range(self.random.randint(1, 3))]
        results = [{**self.message("tool"), "call_id": call["id"]} for call in calls]
        self.random.shuffle(results)
        if self.random.random() < 0.1:
            results.pop()
        return [{**self.message("assistant"), "calls": calls}, *results]

    def orderly(self):
        """As programs send them."""
        yield from (self.message(self.random.choice(("system", "system", "developer")))
                    for _ in range(self.random.randint(0, 2)))
        for _ in range(self.random.randint(1, 4)):
            yield from (self.message("user") for _ in range(self.random.choice((1, 1, 1, 2))))
            if self.random.random() < 0.3:
                yield from self.calls_and_results()
            if self.random.random() < 0.15:
                yield self.message(self.random.choice(("system", "developer", "latest_reminder")))
            yield self.message("assistant")
        if self.random.random() < 0.7:
            yield self.message("user")

    def wild(self):
        for _ in range(self.random.randint(1, 8)):
            role = self.random.choice(ROLES)
            if role == "assistant" and self.random.random() < 0.3:
                yield from self.calls_and_results()
            elif role == "tool":
                yield {**self.message(role), "call_id": f"call_{self.random.randrange(4)}"}
            else:
                yield self.message(role)

    def request(self):
        messages = list(self.random.choice((self.orderly, self.wild))())
        continues = messages[-1]["role"] == "assistant" and self.random.random() < 0.5
        return {"messages": messages, "thinking": self.random.choice((None, True, False)),
                "effort": self.random.choice(EFFORTS), "continues_last": continues, **self.tools(), **self.format()}

    def tools(self):
        if self.random.random() < 0.5:
            return {}
        tools = list({one["name"]: one for one in self.random.choices(TOOLS, k=self.random.randint(0, 4))}.values())
        choice = self.random.choice(("auto", "auto", "none", "required", "named" if tools else "auto"))
        name = self.random.choice(tools)["name"] if choice == "named" else ""
        return {"tools": tools, "tool_choice": choice, "tool_name": name}

    def format(self):
        answer = self.random.choice(("text", "text", "text", "json_object", "json_schema"))
        schema = self.random.choice(SCHEMAS[1:]) if answer == "json_schema" else ""
        return {"answer_format": answer, "answer_schema": schema}


def whole_text(message):
    return "\n\n".join(message["parts"])


def is_instruction(message):
    return message["role"] in ("system", "developer")


def start_size(messages):
    return next((i for i, one in enumerate(messages) if not is_instruction(one)), len(messages))


def thinks(request):
    if request["thinking"] is not None:
        return request["thinking"]
    return request["effort"] != "none"


def told_tools(request):
    if request.get("tool_choice") == "none":
        return []
    return [one for one in request.get("tools", [])
            if request.get("tool_choice") != "named" or one["name"] == request["tool_name"]]


def has_to_call(request):
    return bool(told_tools(request)) and request["tool_choice"] in ("required", "named")


class Recipe:
    """What the makers' encoder makes of a request, by its Conversation and by its requests."""

    def __init__(self, arguments):
        import deepseek_recipe
        self.recipe = deepseek_recipe
        self.is_v41 = arguments.variant == "v4.1"
        self.model = "DeepSeek-V4.1-Flash" if self.is_v41 else "DeepSeek-V4-Pro"
        encoding = deepseek_recipe.DeepseekV41Encoding if self.is_v41 else deepseek_recipe.DeepseekV4Encoding
        self.encoding = encoding().with_tokenizer(deepseek_recipe.Tokenizer.from_file(arguments.tokenizer))

    def tool(self, one):
        return self.recipe.ToolDefinition(one["name"], one["description"] or None,
                                          json.loads(one["parameters"] or "{}"))

    def message(self, one, in_middle, is_unfinished, with_thinking):
        text = whole_text(one)
        role = one["role"]
        if role == "assistant":
            calls = [self.recipe.ToolCall(call["id"], call["name"], call["arguments"])
                     for call in one.get("calls", [])]
            reasoning = one.get("reasoning", "") if with_thinking else None
            return self.recipe.AssistantMessage(text, reasoning, calls or None, is_unfinished)
        if role == "tool":
            return self.recipe.ToolMessage(text, one["call_id"])
        if role == "latest_reminder":
            return self.recipe.LatestReminderMessage(text)
        if is_instruction(one) and self.is_v41:
            # On purpose, and as its Chat Completions do: one without text says nothing.
            return self.recipe.SystemMessage(text) if text else None
        if is_instruction(one) and not in_middle:
            return self.recipe.SystemMessage(text)
        # On purpose: a system message in the middle stays there.
        if role == "system":
            text = f"<system-reminder>\n{text}\n</system-reminder>" if text else None
        return None if text is None else self.recipe.UserMessage(text)

    def by_conversation(self, request):
        messages = request["messages"]
        start = start_size(messages)
        made = [self.message(one, i >= start, request["continues_last"] and i + 1 == len(messages), thinks(request))
                for i, one in enumerate(messages)]
        effort = {"minimal": "low", "medium": "high", "none": "high", "": None}.get(
            request["effort"], request["effort"])
        schema = request.get("answer_schema")
        # Without thinking alone: it would open calls inside the reasoning, and refuses such requests.
        choice = "required" if has_to_call(request) and not thinks(request) else "auto"
        return self.recipe.Conversation(
            [one for one in made if one is not None], thinking_mode=thinks(request), reasoning_effort=effort,
            tools=[self.tool(one) for one in told_tools(request)], tool_choice=choice,
            response_format="json_object" if request.get("answer_format") == "json_object" else "text",
            response_schema=json.loads(schema) if schema else None)

    def converted(self, kind, body):
        try:
            return kind(body).convert(self.recipe.ConversionOptions()).conversation
        except (self.recipe.ConversionError, ValueError):
            return None

    @staticmethod
    def schemas(request, key):
        """A description that is not there is not sent."""
        for one in request.get("tools", []):
            yield {"name": one["name"], **({"description": one["description"]} if one["description"] else {}),
                   **({key: json.loads(one["parameters"])} if one["parameters"] else {})}

    @staticmethod
    def text_parts(one):
        return [{"type": "text", "text": part} for part in one["parts"]]

    def by_chat(self, request):
        """None: Chat Completions has no such conversation, or moves its messages."""
        messages = request["messages"]
        if not self.is_v41 and any(is_instruction(one) for one in messages[start_size(messages):]):
            return None
        made = []
        for i, one in enumerate(messages):
            role = "system" if one["role"] == "developer" else one["role"]
            message = {"role": role, "content": self.text_parts(one)}
            if one.get("reasoning"):
                message["reasoning_content"] = one["reasoning"]
            if one.get("calls"):
                message["tool_calls"] = [{"id": call["id"], "type": "function", "function": {
                    "name": call["name"], "arguments": call["arguments"]}} for call in one["calls"]]
            if role == "tool":
                message["tool_call_id"] = one["call_id"]
            if request["continues_last"] and i + 1 == len(messages):
                message["prefix"] = True
            made.append(message)
        body = {"model": self.model, "messages": made}
        if request.get("tools"):
            body["tools"] = [{"type": "function", "function": one} for one in self.schemas(request, "parameters")]
            body["tool_choice"] = request["tool_choice"] if request["tool_choice"] != "named" else {
                "type": "function", "function": {"name": request["tool_name"]}}
        if request.get("answer_format", "text") != "text":
            schema = request.get("answer_schema")
            body["response_format"] = {"type": request["answer_format"], **(
                {"json_schema": {"name": "n", "schema": json.loads(schema)}} if schema else {})}
        if request["thinking"] is not None:
            body["thinking"] = {"type": "enabled" if request["thinking"] else "disabled"}
        if request["effort"]:
            body["reasoning_effort"] = request["effort"]
        return self.converted(self.recipe.ChatCompletionRequest, body)

    def by_messages(self, request):
        """None: Messages has no such conversation."""
        messages = request["messages"]
        start = start_size(messages)
        if any(one["role"] in ("developer", "tool", "latest_reminder") or one.get("calls")
               for one in messages[start:]) or request["continues_last"]:
            return None
        # It joins what V4.1 says apart, and tells empty ones.
        if self.is_v41 and (start > 1 or any(one["role"] == "system" and not whole_text(one) for one in messages)):
            return None
        # It takes "any" for "auto", and reasoning in a form of its own.
        if request.get("answer_format", "text") != "text" or request.get("tool_choice") == "required" or \
                any(not one["parameters"] for one in request.get("tools", [])) or told_tools(request) and \
                thinks(request):
            return None
        system = [{"type": "text", "text": whole_text(one)} for one in messages[:start] if whole_text(one)]
        body = {"model": self.model, "max_tokens": 100,
                "messages": [{"role": one["role"], "content": whole_text(one)} for one in messages[start:]],
                "thinking": {"type": "adaptive" if thinks(request) else "disabled"}}
        if system:
            body["system"] = system
        if request.get("tools"):
            kinds = {"auto": {"type": "auto"}, "none": {"type": "none"},
                     "named": {"type": "tool", "name": request["tool_name"]}}
            body["tools"] = list(self.schemas(request, "input_schema"))
            body["tool_choice"] = kinds[request["tool_choice"]]
        if request["effort"] in ("low", "medium", "high", "xhigh", "max"):
            body["output_config"] = {"effort": request["effort"]}
        elif request["effort"]:
            return None
        return self.converted(self.recipe.MessagesRequest, body)

    def all(self, request):
        # It tells no effort where nothing is said.
        told = [one for one in request["messages"] if whole_text(one) or not is_instruction(one)]
        if self.is_v41 and not told:
            return
        # On purpose: what continues an answer that stands alone keeps its reasoning, as in V4's form.
        if self.is_v41 and request["continues_last"] and len(told) == 1 and not told_tools(request):
            return
        for way in (self.by_conversation, self.by_chat, self.by_messages):
            conversation = way(request)
            if conversation is not None:
                yield way.__name__, self.encoding.encode(conversation), self.encoding.render_conversation(conversation)


def chosen():
    """What the tests keep: one conversation for each rule."""
    def one(role, *parts, **more):
        return {"role": role, "parts": list(parts), **more}

    user, answer = one("user", "Who wrote Emma?"), one("assistant", "Jane Austen.", reasoning="A novel.")
    calls = [{"id": "call_2", "name": "get_weather", "arguments": ARGUMENTS[1]},
             {"id": "call_1", "name": "f", "arguments": ARGUMENTS[2]}]
    called = [one("assistant", "Let me see.", reasoning="Hm.", calls=calls),
              one("tool", "rain", call_id="call_2"), one("tool", "5", "6", call_id="call_1")]
    for effort in EFFORTS:
        yield {"messages": [user], "thinking": None, "effort": effort}
    yield {"messages": [user], "thinking": True, "effort": "none"}
    for thinking in (True, False):
        for messages in (
                [one("system", "Be brief."), one("system", ""), one("developer", "And kind."), user],
                [one("system", "Be", "brief."), user, answer, one("system", "The date has changed."), user],
                [user, answer, one("system", ""), one("developer", "Rules"), one("user", "")],
                [one("user", "a", "", "b"), one("user", ""), one("user", "c"), answer, one("user")],
                [user, *called], [user, *called, user, answer, user], [user, called[0], called[2], user],
                [user, one("latest_reminder", "Be quick."), answer, user],
                [one("system", "<｜User｜>"), one("user", "<think> ｜DSML｜ <｜end▁of▁sentence｜>")],
                [answer, answer, user], [user, answer], [one("system", "Alone.")]):
            yield {"messages": messages, "thinking": thinking, "effort": "low"}
        for last in (answer, one("assistant"), one("assistant", reasoning="I"), one("assistant", "It was")):
            yield {"messages": [user, last], "thinking": thinking, "effort": "low", "continues_last": True}
    yield from chosen_with_tools([user, *called, answer, user])


def chosen_with_tools(messages):
    tools = [TOOLS[2], TOOLS[4], TOOLS[11]]
    system = {"role": "system", "parts": ["Be brief."]}
    for thinking in (True, False):
        base = {"messages": messages, "thinking": thinking, "effort": "low", "tools": tools}
        for choice in ("auto", "none", "required", "named"):
            yield {**base, "tool_choice": choice, "tool_name": "f" if choice == "named" else ""}
        yield {**base, "messages": [system, *messages], "tool_choice": "auto"}
        yield {**base, "messages": [*messages, {"role": "assistant", "parts": ["So"], "reasoning": "r"}],
               "tool_choice": "required", "continues_last": True}
    few = {"messages": messages[:1], "thinking": True, "effort": "low", "tool_choice": "auto"}
    for schema in SCHEMAS[1:]:
        yield {**few, "answer_format": "json_schema", "answer_schema": schema}
    yield {**few, "tools": tools[:1], "answer_format": "json_schema", "answer_schema": SCHEMAS[1]}
    for some in ([], [system]):
        yield {**few, "messages": [*some, *messages[:1]], "effort": "max", "answer_format": "json_object"}


def chosen_of_v41():
    """What it tells in another way than V4."""
    def one(role, *parts, **more):
        return {"role": role, "parts": list(parts), **more}

    calls = [{"id": f"call_{i}", "name": "f", "arguments": arguments}
             for i, arguments in enumerate(("{}", '{"a": 1e-05, "b": 0.0001, "c": 1e16}', "{}"))]
    for messages in (
            [one("user", "a"), one("assistant", calls=calls), one("tool", "2", call_id="call_2"), one("user", ""),
             one("tool", "x", call_id="call_x"), one("tool", "1", call_id="call_1"), one("system", "Be kind."),
             one("tool", "0", call_id="call_0"), one("tool", "2", call_id="call_2"), one("user", "b")],
            [one("user", "a"), one("latest_reminder", "b"), one("latest_reminder", "c"), one("user", "d")],
            [one("latest_reminder", "b"), one("system", "c"), one("user", "d"), one("developer", "e")]):
        for effort in ("none", "low", "max"):
            yield {"messages": messages, "thinking": None, "effort": effort}


def write_golden(arguments):
    recipe = Recipe(arguments)
    lines = []
    for request in [*chosen(), *(chosen_of_v41() if recipe.is_v41 else ())]:
        request = {"continues_last": False, **request}
        ways = list(recipe.all(request))
        ids = ways[0][1]
        assert all(way[1] == ids for way in ways), request
        lines.append(json.dumps({**request, "tokens": ids}, ensure_ascii=False))
    GOLDEN.mkdir(parents=True, exist_ok=True)
    golden_file(GOLDEN, arguments).write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")


def check_recipe(arguments):
    recipe = Recipe(arguments)
    conversations = Conversations(arguments.seed)
    requests = [conversations.request() for _ in range(arguments.count)]
    agreeing, differing = collections.Counter(), collections.Counter()
    for request, answer in zip(requests, probed(arguments, requests)):
        for way, ids, rendered in recipe.all(request):
            opens = rendered.prompt.endswith("<think>") and rendered.special_ranges[-1][1] == len(rendered.prompt)
            if request["continues_last"]:
                opens = answer.get("starts_in_reasoning")
            same = answer.get("tokens") == ids and answer["starts_in_reasoning"] == opens
            (agreeing if same else differing)[way] += 1
            if not same and differing.total() <= arguments.show:
                print(json.dumps(request, ensure_ascii=False))
                print(f"  {way}: expected {rendered.prompt!r}\n  found {answer.get('text', answer)!r}")
    print(f"{arguments.count} conversations; agreeing: {dict(agreeing)}, differing: {dict(differing)}")
    return differing.total() == 0


# ---- templates ----------------------------------------------------------------------------------

def words(*roles):
    """Messages of these roles, each with a word of its own."""
    return [{"role": role, "parts": [f"wqz{i}{role}"]} for i, role in enumerate(roles)]


def kinds():
    user, call = "user", {"id": "call_abcdefghij", "name": "get_wqz", "arguments": '{"at": "wqzhere"}'}
    yield "question", words(user)
    yield "system", words("system", user)
    yield "system alone", words("system")
    yield "developer", words("developer", user)
    yield "system and developer", words("system", "developer", user, "assistant", user)
    yield "two systems", words("system", "system", user)
    yield "late system", words("system", user, "assistant", "system", user)
    yield "late system, last", words(user, "assistant", user, "system")
    yield "late system after a question", words("system", user, "system", "assistant", user)
    yield "late developer", words(user, "assistant", "developer", user)
    yield "latest reminder", words(user, "assistant", "latest_reminder", user)
    yield "two users", words("system", user, user)
    yield "two users later", words(user, "assistant", user, user, "assistant", user)
    yield "two assistants", words(user, "assistant", "assistant", user)
    yield "assistant first", words("assistant", user)
    yield "system and assistant first", words("system", "assistant", user)
    yield "ends with an answer", words(user, "assistant")
    yield "empty answer", [*words(user), {"role": "assistant", "parts": [""]}, *words(user, user)[1:]]
    yield "no content", [*words(user), {"role": "assistant", "parts": []}, *words(user, user)[1:]]
    yield "parts", [{"role": one["role"], "parts": [one["parts"][0], f"wqzmore{i}"]}
                    for i, one in enumerate(words("system", user, "assistant", user))]
    yield "call", [*words("system", user), {"role": "assistant", "parts": [], "calls": [call]},
                   {"role": "tool", "parts": ["wqzresult"], "call_id": call["id"]}, *words(user, user, user)[2:]]
    yield "continued", words(user, "assistant", user, "assistant")


def texts_of(messages):
    for one in messages:
        yield from (part for part in one["parts"] if part)
        for call in one.get("calls", []):
            yield "get_wqz"
            yield "wqzhere"


GROWING = words("system", "user", "assistant", "system", "user", "assistant", "developer", "user", "assistant",
                "user", "user")
GROWING_SIZES = (2, 5, 8, 11)


def regrown(arguments, base):
    """Where a prompt does not begin with the texts of the one before, so that a cache is lost."""
    answers = probed(arguments, [{**base, "messages": GROWING[:size]} for size in GROWING_SIZES])
    texts = [answer.get("text", "") for answer in answers]
    for size, text, longer in zip(GROWING_SIZES, texts, texts[1:]):
        if not longer.startswith(text[:text.rfind(GROWING[size - 1]["parts"][0])]):
            yield f"growing: after {size} messages the prompt changes"


def check_template(arguments, name, template, tokens):
    base = {"template": template, "special_tokens": tokens, "thinking": False, "effort": ""}
    cases = list(kinds())
    requests = [{**base, "messages": messages, "continues_last": kind == "continued"} for kind, messages in cases]
    problems = []
    for (kind, messages), answer in zip(cases, probed(arguments, requests)):
        if "error" in answer:
            problems.append(f"{kind}: {answer['error']} [{answer['field']}]")
            continue
        lost = [text for text in texts_of(messages) if text not in answer["text"]]
        if lost:
            problems.append(f"{kind}: loses {lost}")
        if kind == "continued" and not answer["text"].endswith(messages[-1]["parts"][-1]):
            problems.append(f"{kind}: ends {answer['text'][-40:]!r}")
        if arguments.texts:
            print(f"-- {name}: {kind}\n{answer['text']}")
    problems.extend(regrown(arguments, base))
    cases.append(("growing", None))
    print(f"{name}: {len(cases) - len({p.split(':')[0] for p in problems})} of {len(cases)} kinds are told")
    for problem in problems:
        print(f"  {problem}")
    return not problems


def check_templates(arguments):
    from check_templates import template_files, templates_in
    good = [check_template(arguments, *one) for path in template_files(arguments.templates)
            for one in templates_in(path)]
    print(f"{sum(good)} of {len(good)} templates tell all kinds")
    return all(good)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--probe", required=True)
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", type=int, default=5, help="print so many differences")
    parser.add_argument("--texts", action="store_true", help="print what templates make")
    parser.add_argument("--write", action="store_true", help="write the golden file")
    parser.add_argument("templates", nargs="*", type=pathlib.Path)
    add_variant(parser)
    arguments = parser.parse_args()
    with variant_tokenizer(arguments) as arguments.tokenizer:
        if arguments.write:
            write_golden(arguments)
        good = check_templates(arguments) if arguments.templates else check_recipe(arguments)
    sys.exit(not good)


if __name__ == "__main__":
    main()
