"""What a client of tools/load_server.py may do, good and bad. Each act returns the statuses that it has seen."""

import dataclasses
import json
import time
import typing

from clients.harness import require, require_equal
from load import asks
from load.wire import NoHttp, Wire

# What the server refuses before it knows a route.
HEAD_STATUSES = {400, 403, 404, 405, 408, 413, 414, 415, 417, 431, 501, 503}
SLOW_BUFFER_BYTES = 4096
BENT_PATIENCE_S = 5  # a bend may have left out how long an answer is to be
GONE = (NoHttp, ConnectionError)


@dataclasses.dataclass
class World:
    host: str
    port: int
    random: typing.Any
    statuses: dict  # documented ones by path
    require_same: typing.Callable  # (question, answer)
    patience_s: float

    def connect(self, **options):
        return Wire(self.host, self.port, self.patience_s, **options)


def check_answer(world, path, answer):
    known = world.statuses[path if path in world.statuses else path.rpartition("/")[0] + "/"]
    require(answer.status in known, f"status {answer.status} of {path}")
    require(answer.headers.get("x-request-id"), "no x-request-id")
    if answer.status != 200:
        asks.check_error(answer)


def ask(world, wire, path, body):
    """Returns the answer, checked for what all have in common."""
    wire.send(wire.request("POST", path, json.dumps(body).encode()))
    answer = wire.read()
    check_answer(world, path, answer)
    require(answer.status in (200, 429), f"status {answer.status} of a good request: {answer.body[:300]!r}")
    return answer


def complete_on(world, wire):
    path = world.random.choice(list(asks.COMPLETIONS))
    make, check = asks.COMPLETIONS[path]
    body = make(world.random)
    answer = ask(world, wire, path, body)
    if answer.status == 200:
        check(body, answer)
    return answer


def complete(world):
    with world.connect() as wire:
        return [complete_on(world, wire).status]


def complete_in_turn(world):
    """Several requests on one connection."""
    with world.connect() as wire:
        return [complete_on(world, wire).status for _ in range(3)]


def ask_again(world):
    path, body = asks.question(world.random)
    with world.connect() as wire:
        answer = ask(world, wire, path, body)
    if answer.status == 200:
        named = {name: value for name, value in body.items() if name not in ("stream", "cache_salt")}
        world.require_same(path + " " + json.dumps(named), asks.COMPLETIONS[path][1](body, answer))
    return [answer.status]


def count(world):
    """Counting twice gives the same."""
    path = world.random.choice(list(asks.COUNTS))
    body = asks.COUNTS[path](world.random)
    with world.connect() as wire:
        answers = [ask(world, wire, path, body) for _ in range(2)]
    if all(answer.status == 200 for answer in answers):
        require_equal(answers[0].body, answers[1].body, "a count")
        require(json.loads(answers[0].body)["input_tokens"] > 0, "nothing counted")
    return [answer.status for answer in answers]


def tokenize(world):
    """There and back is the same text."""
    text = asks.text(world.random, world.random.choice([5, 5, 2000]))
    with world.connect() as wire:
        there = ask(world, wire, "/tokenize", {"content": text})
        if there.status != 200:
            return [there.status]
        back = ask(world, wire, "/detokenize", {"tokens": json.loads(there.body)["tokens"]})
    if back.status == 200:
        require_equal(json.loads(back.body)["content"], text, "a text that was tokenized")
    return [there.status, back.status]


def get_in_line(world):
    """Several requests are sent before the first answer is read."""
    paths = world.random.choices(asks.GETS, k=4)
    methods = world.random.choices(["GET", "HEAD"], [4, 1], k=4)
    statuses = []
    with world.connect() as wire:
        wire.send(b"".join(wire.request(method, path) for method, path in zip(methods, paths)))
        for method, path in zip(methods, paths):
            answer = wire.read(method)
            require(answer.status == 200 or path == "/ready", f"status {answer.status} of {path}")
            if method == "GET":
                check_answer(world, path, answer)
            statuses.append(answer.status)
    return statuses


def good_request(world, wire):
    path = world.random.choice(list(asks.COMPLETIONS))
    body = asks.COMPLETIONS[path][0](world.random)
    return path, body, wire.request("POST", path, json.dumps(body).encode())


def cut_request(world):
    """The connection ends in the head or in the body, or right behind it."""
    with world.connect() as wire:
        data = good_request(world, wire)[2]
        head_bytes = data.index(b"\r\n\r\n")
        wire.send(data[:world.random.choice([world.random.randrange(head_bytes), world.random.randrange(len(data)),
                                             len(data)])])
        time.sleep(world.random.choice([0, 0, 0.05, 0.5]))
        if world.random.random() < 0.5:
            wire.reset()
    return []


def cut_answer(world):
    """The connection ends in the answer."""
    with world.connect() as wire:
        wire.send(good_request(world, wire)[2])
        wire.socket.recv(world.random.choice([1, 100, 1000]))
        if world.random.random() < 0.5:
            wire.reset()
    return []


def shut_after_request(world):
    """Who shuts down its sending side gets a good answer or none."""
    with world.connect() as wire:
        path, body, data = good_request(world, wire)
        wire.send(data)
        wire.socket.shutdown(1)
        try:
            answer = wire.read()
        except GONE:
            return []
    check_answer(world, path, answer)
    if answer.status == 200:
        asks.COMPLETIONS[path][1](body, answer)
    return [answer.status]


def write_slowly(world):
    with world.connect() as wire:
        path, body, data = good_request(world, wire)
        size = len(data) // 20 + 1
        for start in range(0, len(data), size):
            wire.send(data[start:start + size])
            time.sleep(world.random.choice([0, 0.02, 0.1]))
        answer = wire.read()
    check_answer(world, path, answer)
    if answer.status == 200:
        asks.COMPLETIONS[path][1](body, answer)
    return [answer.status]


def read_slowly(world):
    """A long stream through a small window."""
    body = {**asks.chat_body(world.random), "stream": True, "max_tokens": 100, "logprobs": True, "top_logprobs": 20}
    with world.connect(receive_bytes=SLOW_BUFFER_BYTES) as wire:
        wire.send(wire.request("POST", "/v1/chat/completions", json.dumps(body).encode()))
        answer = wire.read(on_piece=lambda: time.sleep(0.02))
    check_answer(world, "/v1/chat/completions", answer)
    if answer.status == 200:
        asks.check_chat(body, answer)
    return [answer.status]


def say_nothing(world):
    with world.connect():
        time.sleep(world.random.random() * 3)
    return []


def bent(random, data):
    data = bytearray(data)
    for _ in range(random.choice([1, 1, 3, 10])):
        at = random.randrange(len(data))
        bend = random.randrange(4)
        if bend == 0:
            data[at] = random.randrange(256)
        elif bend == 1:
            del data[at:at + random.randrange(1, 9)]
        elif bend == 2:
            data[at:at] = data[at - random.randrange(9):at]
        else:
            data[at:at] = random.choice([b"null", b"-1", b"[", b"{", b'"', b"1e400", b"\\ud800", b"\xff", b"true"])
        data = data or bytearray(b"x")
    return bytes(data)


def send_bent_body(world):
    """It is refused, or is still good by chance; the server says which."""
    makers = {**asks.COUNTS, **{path: make for path, (make, _) in asks.COMPLETIONS.items()},
              "/tokenize": lambda random: {"prompt": asks.text(random)}, "/detokenize": lambda _: {"tokens": [5, 6]}}
    path = world.random.choice(list(makers))
    data = bent(world.random, json.dumps(makers[path](world.random)).encode())
    with world.connect() as wire:
        wire.send(wire.request("POST", path, data))
        wire.socket.settimeout(BENT_PATIENCE_S)
        try:
            answer = wire.read()
        except TimeoutError:
            return []
    check_answer(world, path, answer)
    return [answer.status]


def bad_heads(wire):
    post = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {wire.host}\r\nContent-Type: application/json\r\n"
    get = f"GET /health HTTP/1.1\r\nHost: {wire.host}\r\n"
    return [
        post + "Content-Length: -1\r\n\r\n", post + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        post + "Content-Length: 99999999999\r\n\r\n", post + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
        post + "Transfer-Encoding: gzip\r\n\r\n", post + "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        post + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        post + "Expect: cake\r\nContent-Length: 2\r\n\r\n{}",
        post.replace("application/json", "text/plain") + "Content-Length: 2\r\n\r\n{}",
        post + "Origin: http://evil.example\r\nContent-Length: 2\r\n\r\n{}",
        get.replace(wire.host, "evil.example") + "\r\n", get + "X: " + "x" * 40_000 + "\r\n\r\n",
        get + "X: x\r\n" * 300 + "\r\n", get + "no header\r\n\r\n", get.replace("/health", "/%zz") + "\r\n",
        get.replace("/health", "/" + "a" * 40_000) + "\r\n", get.replace("/health", "/nowhere") + "\r\n",
        get.replace("GET", "DELETE") + "\r\n", get.replace("GET", "G\x01T") + "\r\n", "GET / HTTP/9.9\r\n\r\n",
        "\x16\x03\x01 hello, is this TLS?\r\n\r\n", "GET /health HTTP/1.1\r\n\r\n",
    ]


def send_bad_head(world):
    with world.connect() as wire:
        try:
            wire.send(world.random.choice(bad_heads(wire)).encode("latin-1"))
            answer = wire.read()
        except ConnectionError:  # refused before all was sent
            return []
    require(answer.status in HEAD_STATUSES, f"status {answer.status} of a bad head")
    asks.check_error(answer)
    return [answer.status]


def send_noise(world):
    """Bytes of any kind: an error, or the end of the connection."""
    with world.connect() as wire:
        try:
            wire.send(bent(world.random, world.random.randbytes(world.random.choice([1, 40, 100_000])))
                      + b"\r\n\r\n" * world.random.randrange(3))
            wire.socket.shutdown(1)
            answer = wire.read()
        except GONE:
            return []
    require(answer.status in HEAD_STATUSES, f"status {answer.status} of noise")
    return [answer.status]


def stream(server, body, patience_s, on_piece):
    """For those who want to know when an answer begins."""
    with Wire(server.host, server.port, patience_s) as wire:
        wire.send(wire.request("POST", "/v1/chat/completions", json.dumps(body).encode()))
        answer = wire.read(on_piece=on_piece)
    require_equal(answer.status, 200, "status of a stream")
    return answer


ACTS = {  # with how often each is chosen
    complete: 8, complete_in_turn: 3, ask_again: 4, count: 2, tokenize: 2, get_in_line: 3, cut_request: 4,
    cut_answer: 4, shut_after_request: 1, write_slowly: 2, read_slowly: 2, say_nothing: 1, send_bent_body: 5, send_bad_head: 4,
    send_noise: 2,
}
