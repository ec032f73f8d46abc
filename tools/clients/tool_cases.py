"""Tool calls with openai and anthropic (Python).

No model that is small enough for these cases calls tools, so the clients read recorded replies: what
the dialects write (recorded_replies_test.cc), sent by a server of a few lines.
"""

import contextlib
import http.server
import json
import pathlib
import threading

import anthropic
import openai

from . import chat_cases, messages_cases
from .harness import case, raises, require, require_equal

RECORDED = pathlib.Path(__file__).resolve().parent.parent.parent / "tests/data/tool_replies"
DIALECTS = {"/v1/chat/completions": "chat", "/v1/responses": "responses", "/v1/messages": "messages"}
ARGUMENTS = {"city": "Zürich", "days": 2}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
          "required": ["city", "days"], "additionalProperties": False}
CUSTOM_TOOL = {"type": "custom", "custom": {"name": "shell"}}
CHAT_TOOLS = [{"type": "function", "function": {"name": "weather", "strict": True, "parameters": SCHEMA}}]
RESPONSE_TOOLS = [{"type": "function", "name": "weather", "strict": True, "parameters": SCHEMA}]
MESSAGE_TOOLS = [{"name": "weather", "input_schema": SCHEMA}]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        streams = body.get("stream", False)
        name = DIALECTS[self.path.partition("?")[0]] + ("_custom" if CUSTOM_TOOL in body["tools"] else "")
        answer = (RECORDED / f"{name}_{'stream' if streams else 'whole'}.txt").read_bytes()
        self.send_response(200)
        self.send_header("content-type", "text/event-stream" if streams else "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


class Recorded:
    def __init__(self, url):
        self.url = url


@contextlib.contextmanager
def recorded():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield Recorded(f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@case("openai", "tools: chat, whole")
def chat_whole(_):
    with recorded() as server:
        choice = chat_cases.ask(chat_cases.client_of(server), tools=CHAT_TOOLS).choices[0]
    require_equal(choice.finish_reason, "tool_calls")
    require_equal(choice.message.content, "I look.")
    calls = choice.message.tool_calls
    require_equal([call.function.name for call in calls], ["weather", "shell"])
    require(calls[0].id.startswith("call_00_") and calls[0].id != calls[1].id, "ids of calls")
    require_equal(json.loads(calls[0].function.arguments), ARGUMENTS, "arguments")


@case("openai", "tools: chat, whole, of a custom tool")
def chat_whole_custom(_):
    with recorded() as server:
        choice = chat_cases.ask(chat_cases.client_of(server), tools=[*CHAT_TOOLS, CUSTOM_TOOL]).choices[0]
    call = choice.message.tool_calls[1]
    require_equal((call.type, call.custom.name, call.custom.input), ("custom", "shell", "ls\n"))


def joined_deltas(chunks):
    """Name and text of each call, as agents put them together; and why the answer ended."""
    calls, reason = {}, None
    for choice in (choice for chunk in chunks for choice in chunk.choices):
        reason = choice.finish_reason or reason
        for delta in choice.delta.tool_calls or []:
            said = delta.model_dump(exclude_unset=True)
            first = delta.index not in calls
            require_equal("id" in said, first, "an id in the first delta of a call alone")
            members = said.get("function") or said.get("custom")
            require_equal("name" in members, first, "a name in the first delta of a call alone")
            call = calls.setdefault(delta.index, [members.get("name"), ""])
            call[1] += members.get("arguments") or members.get("input") or ""
    return calls, reason


# The stream() helper of the client knows nothing of custom tools, whoever sends them.
@case("openai", "tools: chat, streamed")
def chat_streamed(_):
    for tools, text in ((CHAT_TOOLS, '{"input": "ls\\n"}'), ([*CHAT_TOOLS, CUSTOM_TOOL], "ls\n")):
        with recorded() as server:
            calls, reason = joined_deltas(chat_cases.ask(chat_cases.client_of(server), tools=tools, stream=True))
        require_equal(reason, "tool_calls")
        require_equal((calls[0][0], json.loads(calls[0][1])), ("weather", ARGUMENTS))
        require_equal(calls[1], ["shell", text])


@case("openai", "tools: chat, stream() helper")
def chat_stream_helper(_):
    with recorded() as server:
        with chat_cases.client_of(server).chat.completions.stream(
                model="m", messages=chat_cases.QUESTION, tools=CHAT_TOOLS) as stream:
            events = list(stream)
            choice = stream.get_final_completion().choices[0]
    done = [e for e in events if e.type == "tool_calls.function.arguments.done"]
    require_equal([(e.name, json.loads(e.arguments)) for e in done],
                  [("weather", ARGUMENTS), ("shell", {"input": "ls\n"})])
    require_equal(choice.finish_reason, "tool_calls")
    require_equal(choice.message.tool_calls[0].function.parsed_arguments, ARGUMENTS)


def require_response_calls(output):
    require_equal([item.type for item in output],
                  ["reasoning", "message", "function_call", "custom_tool_call"], "items")
    function, custom = output[2:]
    require_equal((function.name, function.status), ("weather", "completed"))
    require_equal(json.loads(function.arguments), ARGUMENTS, "arguments")
    require_equal((custom.name, custom.namespace, custom.input), ("shell", "host", "ls\n"))
    require(function.call_id.startswith("call_00_") and function.call_id != custom.call_id, "ids of calls")


@case("openai", "tools: responses, whole")
def responses_whole(_):
    with recorded() as server:
        response = chat_cases.client_of(server).responses.create(model="m", input="hi", tools=RESPONSE_TOOLS)
    require_equal(response.status, "completed")
    require_response_calls(response.output)


@case("openai", "tools: responses, streamed")
def responses_streamed(_):
    with recorded() as server:
        events = list(chat_cases.client_of(server).responses.create(
            model="m", input="hi", tools=RESPONSE_TOOLS, stream=True))
    require_equal([e.sequence_number for e in events], list(range(len(events))), "sequence numbers")
    require_response_calls(events[-1].response.output)
    for kind, done, text in (("function_call_arguments", "arguments", None), ("custom_tool_call_input", "input", "ls\n")):
        deltas = [e for e in events if e.type == f"response.{kind}.delta"]
        last = next(e for e in events if e.type == f"response.{kind}.done")
        require_equal("".join(e.delta for e in deltas), getattr(last, done), kind)
        require(text is None or getattr(last, done) == text, kind)
        require({e.item_id for e in deltas} == {last.item_id}, "item ids")
    # An item is the same in each event that has all of it.
    items = [e.item for e in events if e.type == "response.output_item.done"]
    require_equal([i.id for i in items], [i.id for i in events[-1].response.output], "ids")


@case("openai", "tools: responses, stream() helper")
def responses_stream_helper(_):
    with recorded() as server:
        with chat_cases.client_of(server).responses.stream(
                model="m", input="hi", tools=RESPONSE_TOOLS) as stream:
            events = list(stream)
            final = stream.get_final_response()
    said = [e.snapshot for e in events if e.type == "response.function_call_arguments.delta"]
    require_equal(json.loads(said[-1]), ARGUMENTS, "arguments")
    require_equal(final.output[2].parsed_arguments, ARGUMENTS, "parsed arguments")
    require_response_calls(final.output)


def require_message_calls(message):
    require_equal(message.stop_reason, "tool_use")
    require_equal([block.type for block in message.content], ["thinking", "text", "tool_use", "tool_use"])
    weather, shell = message.content[2:]
    require_equal((weather.name, weather.input), ("weather", ARGUMENTS))
    require_equal((shell.name, shell.input), ("shell", {"input": "ls\n"}))
    require(weather.id.startswith("toolu_") and weather.id != shell.id, "ids of calls")


def message_options():
    return {"model": "m", "max_tokens": 9, "messages": messages_cases.QUESTION, "tools": MESSAGE_TOOLS}


@case("anthropic", "tools: messages, whole")
def messages_whole(_):
    with recorded() as server:
        require_message_calls(messages_cases.client_of(server).messages.create(**message_options()))


@case("anthropic", "tools: messages, streamed and stream() helper")
def messages_streamed(_):
    with recorded() as server:
        client = messages_cases.client_of(server)
        events = list(client.messages.create(**message_options(), stream=True))
        with client.messages.stream(**message_options()) as stream:
            snapshots = [e.snapshot for e in stream if e.type == "input_json"]
            require_message_calls(stream.get_final_message())
    parts = [e.delta.partial_json for e in events
             if e.type == "content_block_delta" and e.delta.type == "input_json_delta"]
    require(len(parts) == 4, f"{len(parts)} parts of input")
    require(snapshots[0] == {"city": "Züri"} or snapshots[0] == {}, f"a partial input of {snapshots[0]!r}")


@case("openai", "tools: are taken, and refused by name where they are none")
def taken(world):
    client = chat_cases.client_of(world.server)
    for choice in ("auto", "none"):
        answer = chat_cases.ask(client, tools=CHAT_TOOLS, tool_choice=choice, parallel_tool_calls=False)
        require(answer.usage.completion_tokens > 0, "no answer")
    with raises(openai.BadRequestError) as raised:
        chat_cases.ask(client, tools=[{"type": "function", "function": {"name": "a b"}}])
    require_equal(raised.error.param, "tools[0].function.name")
    with raises(openai.BadRequestError) as raised:
        client.responses.create(model="m", input="hi", tools=RESPONSE_TOOLS,
                                tool_choice={"type": "function", "name": "other"})
    require_equal(raised.error.param, "tool_choice.name")


@case("anthropic", "tools: are taken, and refused by name where they are none")
def messages_taken(world):
    client = messages_cases.client_of(world.server)
    message = client.messages.create(**messages_cases.options_of(
        tools=[*MESSAGE_TOOLS, {"type": "bash_20250124", "name": "bash"}], tool_choice={"type": "auto"}))
    require(message.content, "no content")
    with raises(anthropic.BadRequestError) as raised:
        client.messages.create(**messages_cases.options_of(tools=MESSAGE_TOOLS, tool_choice={"type": "tool",
                                                                                             "name": "x"}))
    require("tool_choice.name" in str(raised.error), f"what is said: {raised.error}")
