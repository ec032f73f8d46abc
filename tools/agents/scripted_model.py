"""A proxy that makes any served model play a script: so many calls of one tool, then an answer.

It stands between an unmodified agent and an unmodified server and adds to each request what the server's
grammars need. It keeps no state of the conversation: how many calls of tools a request holds says which
turn it is. Requests without tools, such as those for titles, get a short answer.
"""

import dataclasses
import http.client
import http.server
import json
import re
import threading
import time

ROUTES = ("/v1/chat/completions", "/v1/responses", "/v1/messages")
ANSWER = "All three commands ran."
ANSWER_PATTERN = re.escape(ANSWER)
TITLE_PATTERN = "A short title\\."
TITLE_TOKENS_MAX = 64


@dataclasses.dataclass
class Script:
    """Which tool is called, with what; arguments(turn) has every argument that is sent."""
    tool: str
    arguments: object
    turns: int = 3


@dataclasses.dataclass
class Request:
    """What one request has cost, as /metrics counts it."""
    kind: str  # "turn 1", "answer", "title"
    prompt: int = 0
    computed: int = 0
    sampled: int = 0
    whole_prompt: int = 0    # of the same request as the agent sent it
    whole_computed: int = 0
    status: int = 0
    id: str = ""
    replayed: str = ""
    ignored: str = ""
    body: object = None  # as the agent sent it; never written anywhere


# ---- the three dialects -------------------------------------------------------------------------

def tool_name(tool):
    return (tool.get("function") or tool).get("name")


def calls_in(route, body):
    """How many calls of tools the conversation holds."""
    if route == "/v1/responses":
        return sum(item.get("type") in ("function_call", "custom_tool_call")
                   for item in body.get("input", []) if isinstance(item, dict))
    if route == "/v1/messages":
        return sum(part.get("type") == "tool_use" for message in body["messages"]
                   if isinstance(message["content"], list) for part in message["content"])
    return sum(len(message.get("tool_calls") or []) for message in body["messages"])


def choice_of(route, name):
    if route == "/v1/chat/completions":
        return {"type": "function", "function": {"name": name}}
    return {"type": "tool" if route == "/v1/messages" else "function", "name": name}


def without_reasoning(route, body):
    """The same on every request: how much it reasons stands at the beginning of the prompt."""
    if route == "/v1/messages":
        body["thinking"] = {"type": "disabled"}
        # What it says of effort is nothing where nothing is thought; the form of an answer stays.
        body.get("output_config", {}).pop("effort", None)
        body.pop("context_management", None)
    elif route == "/v1/responses":
        body["reasoning"] = {"effort": "none"}
    else:
        body["reasoning_effort"] = "none"
        for name in ("thinking", "enable_thinking", "chat_template_kwargs", "reasoning"):
            body.pop(name, None)


def limit_tokens(route, body, count):
    names = {"/v1/responses": ("max_output_tokens",), "/v1/messages": ("max_tokens",)}
    for name in names.get(route, ("max_tokens", "max_completion_tokens")):
        body.pop(name, None)
    body[names.get(route, ("max_tokens",))[0]] = count


def schema_of(arguments):
    """The one object that it allows."""
    return {"type": "object", "properties": {name: {"const": value} for name, value in arguments.items()},
            "required": list(arguments), "additionalProperties": False}


def demand_call(route, body, script, turn):
    body["tool_choice"] = choice_of(route, script.tool)
    body["guided_json"] = schema_of(script.arguments(turn))


def demand_text(body, pattern):
    body.pop("tool_choice", None)
    body["guided_regex"] = pattern


def has_format(body):
    return bool(body.get("response_format") or body.get("output_format") or (body.get("text") or {}).get("format")
                or (body.get("output_config") or {}).get("format"))


def directed(route, body, script):
    """(kind, the body that the server gets)."""
    body = json.loads(json.dumps(body))
    without_reasoning(route, body)
    tools = [tool for tool in body.get("tools") or [] if tool_name(tool) == script.tool]
    if not tools:
        if not has_format(body):
            demand_text(body, TITLE_PATTERN)
        limit_tokens(route, body, TITLE_TOKENS_MAX)
        return "title", body
    # A prompt tells a named tool alone, so it has to be alone in all of them.
    body["tools"] = tools
    turn = calls_in(route, body) + 1
    if turn <= script.turns:
        demand_call(route, body, script, turn)
        return f"turn {turn}", body
    demand_text(body, ANSWER_PATTERN)
    return "answer", body


# ---- the proxy ----------------------------------------------------------------------------------

class Proxy:
    """Serves on a free port while the block runs. `server` may be replaced by before_request."""

    def __init__(self, server, script, before_request=None, one_at_a_time=True, asks_whole=False):
        self.server = server
        self.script = script
        self.before_request = before_request or (lambda kind: None)
        self.requests = []
        self.asks_whole = asks_whole
        self.lock = threading.Lock() if one_at_a_time else None
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.0"  # an answer ends with its connection

            def do_GET(self):
                proxy.forward_plain(self)

            do_HEAD = do_GET

            def do_POST(self):
                proxy.post(self)

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.http.shutdown()
        self.http.server_close()

    def post(self, handler):
        body = handler.rfile.read(int(handler.headers.get("content-length") or 0))
        route = handler.path.split("?")[0]
        if route not in ROUTES:
            return self.forward(handler, body)
        asked = json.loads(body)
        kind, told = directed(route, asked, self.script)
        if self.lock is None:
            request = Request(kind, body=asked)
            self.requests.append(request)
            return self.answer(handler, request, told)
        with self.lock:
            self.before_request(kind)
            request = Request(kind, body=asked)
            request.prompt, request.computed, request.sampled = self.cost_of(
                lambda: self.answer(handler, request, told))
            if self.asks_whole and kind != "title":
                request.whole_prompt, request.whole_computed, _ = self.cost_of(lambda: self.ask_whole(route, asked))
            self.requests.append(request)

    def cost_of(self, ask):
        """Tokens of the prompt, those computed, those sampled."""
        before = self.settled_metrics()
        ask()
        after = self.settled_metrics()
        names = ("prompt_tokens_total", "prompt_tokens_by_source_total:computed", "generation_tokens_total")
        return [after[name] - before[name] for name in names]

    def ask_whole(self, route, asked):
        """What the agent asked, with all its tools, for a single token."""
        body = json.loads(json.dumps(asked))
        without_reasoning(route, body)
        limit_tokens(route, body, 1)
        response = self.server.request("POST", route, body)
        if response.status != 200:
            raise AssertionError(f"the whole request: {response.status} {response.body[:300]!r}")

    def answer(self, handler, request, told):
        response = self.forward(handler, json.dumps(told).encode())
        request.status = response.status
        request.id = response.getheader("x-request-id", "")
        request.replayed = response.getheader("x-kvasir-replayed", "")
        request.ignored = response.getheader("x-kvasir-ignored", "")

    def settled_metrics(self):
        """Once nothing runs any more: a request is counted when it has ended."""
        for _ in range(600):
            metrics = self.server.metrics()
            if metrics["num_requests_running"] == 0:
                return {name: int(value) for name, value in metrics.items()}
            time.sleep(0.05)
        raise AssertionError("a request does not end")

    def forward_plain(self, handler):
        self.forward(handler, None)

    def forward(self, handler, body):
        connection = http.client.HTTPConnection(self.server.host, self.server.port, timeout=600)
        headers = {name: value for name, value in handler.headers.items()
                   if name.lower() not in ("host", "content-length", "connection", "accept-encoding",
                                           "transfer-encoding", "origin")}
        connection.request(handler.command, handler.path, body, headers)
        response = connection.getresponse()
        handler.send_response(response.status)
        for name, value in response.getheaders():
            if name.lower() not in ("connection", "transfer-encoding", "keep-alive", "date", "server"):
                handler.send_header(name, value)
        handler.end_headers()
        try:
            while piece := response.read1(65536):
                handler.wfile.write(piece)
                handler.wfile.flush()
        except (BrokenPipeError, ConnectionResetError):
            pass
        connection.close()
        return response


# ---- what an agent changed ----------------------------------------------------------------------

def first_difference(one, other, path=""):
    """The path of the first value that differs; empty where none does."""
    if isinstance(one, dict) and isinstance(other, dict):
        for name in [*one, *(n for n in other if n not in one)]:
            found = first_difference(one.get(name), other.get(name), f"{path}.{name}")
            if found:
                return found
        return ""
    if isinstance(one, list) and isinstance(other, list):
        for i, (left, right) in enumerate(zip(one, other)):
            found = first_difference(left, right, f"{path}[{i}]")
            if found:
                return found
        return "" if len(one) == len(other) else f"{path}.length"
    return "" if one == other else path or "."


def history_change(earlier, later):
    """Where a request is no extension of the one before it, as the agent wrote both; empty: it is one."""
    for name in ("system", "instructions", "tools"):
        found = first_difference(earlier.get(name), later.get(name), name)
        if found:
            return found
    name = "input" if "input" in earlier else "messages"
    return first_difference(earlier[name], later[name][:len(earlier[name])], name)
