"""Errors as the clients' classes, in words that they and agents look for, and retries."""

import json
import re
import tempfile
import threading
import time

import anthropic
import openai

from . import chat_cases, messages_cases
from .harness import KEY_A, KEY_B, case, raises, require, require_equal

LONG = [{"role": "user", "content": "The cat sat on the mat. " * 200}]


@case("openai", "errors: bad requests")
def bad_requests(world):
    client = chat_cases.client_of(world.server)
    bad = [
        ("temperature", lambda: chat_cases.ask(client, temperature=200)),
        ("messages", lambda: chat_cases.ask(client, messages=[])),
        ("messages[0].role", lambda: chat_cases.ask(client, messages=[{"role": "cat", "content": "x"}])),
        ("max_tokens", lambda: chat_cases.ask(client, max_tokens=0)),
        ("top_logprobs", lambda: chat_cases.ask(client, logprobs=True, top_logprobs=21)),
        ("prompt", lambda: client.completions.create(model="m", prompt=[[10**6]])),
        ("previous_response_id", lambda: client.responses.create(model="m", input="x", previous_response_id="resp_1")),
    ]
    for param, ask in bad:
        with raises(openai.BadRequestError) as raised:
            ask()
        require_equal((raised.error.param, raised.error.type), (param, "invalid_request_error"))
        require(raised.error.message and raised.error.request_id, "no words or id")
    require_equal(raised.error.code, "previous_response_not_found")
    with raises(openai.BadRequestError):
        chat_cases.ask(client, stream=True, temperature=200)


@case("anthropic", "errors: bad requests")
def bad_messages(world):
    client = messages_cases.client_of(world.server)
    for bad in ({"messages": []}, {"extra_body": {"temperature": 200}}, {"max_tokens": 0},
                {"messages": [{"role": "cat", "content": "x"}]}):
        with raises(anthropic.BadRequestError) as raised:
            client.messages.create(**messages_cases.options_of(**bad))
        require_equal(raised.error.body["error"]["type"], "invalid_request_error")
        require(raised.error.body["request_id"] == raised.error.request_id, "another request_id")
    with raises(anthropic.BadRequestError):
        with client.messages.stream(**messages_cases.options_of(messages=[])) as stream:
            stream.get_final_message()


@case("both", "errors: paths that are not there")
def not_found(world):
    with raises(openai.NotFoundError):
        chat_cases.client_of(world.server).embeddings.create(model="m", input="x")
    with raises(anthropic.NotFoundError):
        messages_cases.client_of(world.server).messages.batches.list()


@case("both", "errors: keys")
def keys(world):
    with tempfile.TemporaryDirectory() as folder, world.start_with_keys(folder) as server:
        chat_cases.ask(chat_cases.client_of(server, api_key=KEY_A))
        chat_cases.ask(chat_cases.client_of(server).with_options(api_key=KEY_B))
        messages_cases.client_of(server, api_key=KEY_A).messages.create(**messages_cases.options_of(max_tokens=1))
        bearer = anthropic.Anthropic(base_url=server.url, auth_token=KEY_B)
        bearer.messages.create(**messages_cases.options_of(max_tokens=1))
        for use in (chat_cases.ask, lambda c: list(chat_cases.ask(c, stream=True)), lambda c: c.models.list()):
            with raises(openai.AuthenticationError) as raised:
                use(chat_cases.client_of(server))
            require_equal(raised.error.code, "invalid_api_key")
        with raises(anthropic.AuthenticationError) as raised:
            messages_cases.client_of(server).messages.create(**messages_cases.options_of())
        require_equal(raised.error.body["error"]["type"], "authentication_error")


@case("both", "errors: a cache of each key's own")
def own_caches(world):
    with tempfile.TemporaryDirectory() as folder, world.start_with_keys(folder) as server:
        messages = [{"role": "user", "content": chat_cases.STORY}]

        def cached(key):
            answer = chat_cases.ask(chat_cases.client_of(server, api_key=key), messages=messages, max_tokens=1)
            return answer.usage.prompt_tokens_details.cached_tokens
        require_equal((cached(KEY_A), cached(KEY_A) > 0, cached(KEY_B)), (0, True, 0))


@case("both", "errors: context too long, with both numbers")
def context_length(world):
    with world.start("--context", "512") as server:
        client = chat_cases.client_of(server)
        for ask in (lambda: chat_cases.ask(client, messages=LONG),
                    lambda: list(chat_cases.ask(client, messages=LONG, stream=True)),
                    lambda: client.completions.create(model="m", prompt=LONG[0]["content"]),
                    lambda: client.responses.create(model="m", input=LONG)):
            with raises(openai.BadRequestError) as raised:
                ask()
            require_equal(raised.error.code, "context_length_exceeded")
            found = re.search(r"maximum context length is (\d+) tokens.* (\d+) tokens", raised.error.message)
            require(found and int(found[1]) == 512 < int(found[2]), raised.error.message)
        with raises(anthropic.BadRequestError) as raised:
            messages_cases.client_of(server).messages.create(**messages_cases.options_of(messages=LONG))
        found = re.search(r"prompt is too long: (\d+) tokens > (\d+) maximum", str(raised.error))
        require(found and int(found[1]) > int(found[2]) == 512, str(raised.error))
        answer = chat_cases.ask(client, max_tokens=10_000, extra_body={"ignore_eos": True})
        require_equal((answer.usage.total_tokens, answer.choices[0].finish_reason), (512, "length"))


class BusyServer:
    """One request runs and one waits, so that a third is too many; free() ends both."""

    def __init__(self, world):
        self.server = world.start("--running", "1", "--queue", "1")
        self._client = chat_cases.client_of(self.server)
        self._streams = []

    def __enter__(self):
        for metric in ("num_requests_running", "num_requests_waiting"):
            self._streams.append(chat_cases.ask(self._client, stream=True, max_tokens=500_000,
                                                extra_body={"ignore_eos": True}))
            while self.server.metrics()[metric] < 1:
                time.sleep(0.02)
        return self

    def __exit__(self, *_):
        self.free()
        self.server.close()

    def free(self):
        for stream in self._streams:
            stream.close()
        self._streams = []


@case("openai", "errors: queue full, retry-after obeyed")
def busy(world):
    with BusyServer(world) as busy_server:
        with raises(openai.RateLimitError) as raised:
            chat_cases.ask(chat_cases.client_of(busy_server.server))
        seconds = float(raised.error.response.headers["retry-after"])
        require(seconds > 0 and raised.error.code == "rate_limit_exceeded", "no time or code")
        with raises(openai.RateLimitError):
            chat_cases.ask(chat_cases.client_of(busy_server.server), stream=True)
        start = time.monotonic()
        with raises(openai.RateLimitError):
            chat_cases.ask(chat_cases.client_of(busy_server.server, max_retries=1))
        require(time.monotonic() - start >= seconds, "asked again too soon")
        timer = threading.Timer(0.5, busy_server.free)
        timer.start()
        answer = chat_cases.ask(chat_cases.client_of(busy_server.server, max_retries=2))
        require(answer.choices[0].message.role == "assistant", "no answer after a retry")
        timer.join()


@case("anthropic", "errors: queue full, retry-after obeyed")
def busy_messages(world):
    with BusyServer(world) as busy_server:
        with raises(anthropic.RateLimitError) as raised:
            messages_cases.client_of(busy_server.server).messages.create(**messages_cases.options_of())
        require_equal(raised.error.body["error"]["type"], "rate_limit_error")
        threading.Timer(0.5, busy_server.free).start()
        start = time.monotonic()
        messages_cases.client_of(busy_server.server, max_retries=2).messages.create(**messages_cases.options_of())
        require(time.monotonic() - start >= float(raised.error.response.headers["retry-after"]), "too soon")


@case("openai", "errors: more prompts than the queue takes, all or none")
def busy_in_part(world):
    with world.start("--running", "1", "--queue", "1") as server:
        with raises(openai.RateLimitError):
            chat_cases.client_of(server).completions.create(model="m", prompt=["a", "b", "c", "d"], max_tokens=50)
        server.require_idle_within(2)


def terminate_later(server, after_s):
    """So long after a request has begun to run."""
    while server.metrics()["num_requests_running"] < 1:
        time.sleep(0.05)
    time.sleep(after_s)
    server.terminate()


def end_late(world, ask, after_s=1):
    """Asks for more than there is time for, and gives back what came of it, or what that raised."""
    with world.start("--drain", "1") as server:
        threading.Thread(target=terminate_later, args=(server, after_s)).start()
        try:
            return ask(server), None
        except Exception as error:  # the point is which one
            return None, error


def require_told(client, error):
    """It is the server's own error, not a connection that broke."""
    is_told = isinstance(error, client.APIError) and not isinstance(error, client.APIConnectionError)
    require(is_told, repr(error))


ENDLESS = {"max_tokens": 500_000, "extra_body": {"ignore_eos": True}}


@case("openai", "errors: late ones, in a stream of chat")
def late_chat(world):
    _, error = end_late(world, lambda s: list(chat_cases.ask(chat_cases.client_of(s), stream=True, **ENDLESS)))
    require_told(openai, error)


@case("openai", "errors: late ones, in a stream of completions")
def late_completions(world):
    _, error = end_late(world, lambda s: list(chat_cases.client_of(s).completions.create(
        model="m", prompt="The cat", stream=True, **ENDLESS)))
    require_told(openai, error)


@case("openai", "errors: late ones, in a stream of responses")
def late_responses(world):
    options = {"max_output_tokens": 500_000, "extra_body": {"ignore_eos": True}}
    events, error = end_late(world, lambda s: list(chat_cases.client_of(s).responses.create(
        model="m", input="The cat", stream=True, **options)))
    require(error is None and events[-1].type == "response.failed", repr(error))
    require(events[-1].response.error.code and events[-1].response.error.message, "no words")


@case("anthropic", "errors: late ones, in a stream")
def late_messages(world):
    _, error = end_late(world, lambda s: list(messages_cases.client_of(s).messages.create(
        **{**messages_cases.options_of(stream=True), **ENDLESS})))
    require_told(anthropic, error)


@case("both", "errors: late ones, of a whole answer that has not begun")
def late_whole(world):
    _, error = end_late(world, lambda s: chat_cases.ask(chat_cases.client_of(s), **ENDLESS))
    require(isinstance(error, openai.APIStatusError), repr(error))
    require(error.status_code in (408, 503), f"status {error.status_code}")


# Blank lines have kept it alive, and the status line is spent.
@case("openai", "errors: late ones, of a whole answer that waits")
def late_in_the_body(world):
    answer, error = end_late(world, lambda s: chat_cases.ask(chat_cases.client_of(s), **ENDLESS), after_s=7)
    require(error is None, repr(error))
    require(answer.choices is None and answer.error["message"], "no error in the body")


@case("both", "errors: bodies that are no JSON, other methods")
def malformed(world):
    for path, is_anthropic in (("/v1/chat/completions", False), ("/v1/messages", True)):
        response = world.server.request("POST", path, headers={"content-type": "application/json"})
        require_equal(response.status, 400)
        body = json.loads(response.body)
        require(body["error"]["message"] and (body.get("type") == "error") == is_anthropic, "another dialect")
        require_equal(world.server.request("GET", path).status, 405)
