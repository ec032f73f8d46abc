"""What cases of clients share: a list of them, a server of their own, raw requests, and proofs."""

import contextlib
import http.client
import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import time

CASES = []
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
KEY_A = "key-a-0123456789abcdef"
KEY_B = "key-b-0123456789abcdef"


def case(client, name):
    """Adds a function that takes a World; it passes unless it raises."""
    def add(run):
        CASES.append((client, name, run))
        return run
    return add


def require(fact, what="not so"):
    if not fact:
        raise AssertionError(what)


def require_equal(found, expected, what="value"):
    if found != expected:
        raise AssertionError(f"{what}: expected {expected!r}, found {found!r}")


class Skipped(Exception):
    """A case that cannot run here; says why."""


class Raised:
    error = None


@contextlib.contextmanager
def raises(kind):
    """The error is in what this gives, after the block."""
    raised = Raised()
    try:
        yield raised
    except kind as error:
        raised.error = error
        return
    raise AssertionError(f"no {kind.__name__}")


class Server:
    """kvasir serve on a free port and a store of its own."""

    def __init__(self, binary, *options, store=None):
        self._folder = tempfile.TemporaryDirectory(prefix="kvasir-clients-")
        folder = pathlib.Path(self._folder.name)
        self._log = open(folder / "log", "w+b")
        command = [binary, "serve", "--port", "0", "--store", str(store or folder / "store"), *options]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self._log)
        line = self._process.stdout.readline().decode()
        found = re.search(r"http://([\d.]+):(\d+)", line)
        if not found:
            raise AssertionError(f"the server did not start: {line!r} {self.log()!r}")
        self.host, self.port = found[1], int(found[2])
        self.url = found[0]
        self._wait_until_ready()

    def _wait_until_ready(self):
        for _ in range(600):
            if self.request("GET", "/ready").status == 200:
                return
            time.sleep(0.1)
        raise AssertionError("the server does not get ready")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(40)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process.stdout.close()
        self._log.close()
        self._folder.cleanup()

    def kill(self):
        self._process.kill()
        self._process.wait()

    def terminate(self):
        self._process.send_signal(signal.SIGTERM)

    def wait(self, seconds):
        """The exit status; None: it is still there."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def log(self):
        self._log.flush()
        return pathlib.Path(self._log.name).read_text(errors="replace")

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self._process.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS

    def require_idle_within(self, seconds):
        """Nothing is computed any more, and nobody counts as running."""
        end = time.monotonic() + seconds
        while self.metrics()["num_requests_running"] > 0:
            require(time.monotonic() < end, "a request of a client that left is still running")
            time.sleep(0.05)
        time.sleep(max(0.0, end - time.monotonic()))
        before = self.cpu_seconds()
        time.sleep(1)
        used = self.cpu_seconds() - before
        require(used < 0.1, f"{used:.2f} s of CPU in a second without a client")

    def request(self, method, path, body=None, headers=None):
        """The response, read, with its bytes as .body."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=120)
        headers = dict(headers or {})
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers.setdefault("content-type", "application/json")
        connection.request(method, path, data, headers)
        response = connection.getresponse()
        response.body = response.read()
        connection.close()
        return response

    def json(self, path, body=None):
        response = self.request("GET" if body is None else "POST", path, body)
        require_equal(response.status, 200, f"status of {path} ({response.body[:300]!r})")
        return json.loads(response.body)

    def events(self, path, body):
        """(name or None, object or "[DONE]") of each event of a stream."""
        response = self.request("POST", path, {**body, "stream": True})
        require_equal(response.status, 200, f"status of {path} ({response.body[:300]!r})")
        require(response.getheader("content-type", "").startswith("text/event-stream"), "no event stream")
        require_equal(response.getheader("cache-control"), "no-cache", "cache-control")
        require_equal(response.getheader("x-accel-buffering"), "no", "x-accel-buffering")
        return list(parse_events(response.body.decode()))

    def metrics(self):
        """Sums over labels, by names without the prefix; one with source= is name:source."""
        sums = {}
        for line in self.request("GET", "/metrics").body.decode().splitlines():
            found = re.fullmatch(r"kvasir_(\w+)\{(.*)\} (\S+)", line)
            if not found:
                continue
            source = re.search(r'source="(\w+)"', found[2])
            name = found[1] + (":" + source[1] if source else "")
            sums[name] = sums.get(name, 0.0) + float(found[3])
        return sums


def parse_events(text):
    for block in text.split("\n\n"):
        name, data = None, []
        for line in block.split("\n"):
            if line.startswith("event: "):
                name = line[7:]
            elif line.startswith("data: "):
                data.append(line[6:])
            else:
                require(line == "" or line.startswith(":"), f"no line of an event stream: {line!r}")
        if data:
            joined = "\n".join(data)
            yield name, joined if joined == "[DONE]" else json.loads(joined)


class Counted:
    """What /metrics counts while the block runs, after all requests in it have ended."""

    def __init__(self, server):
        self._server = server

    def __enter__(self):
        self._before = self._server.metrics()
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            return
        after = self._server.metrics()
        self._grown = {name: value - self._before.get(name, 0.0) for name, value in after.items()}

    def __getitem__(self, name):
        return int(self._grown[name])


class World:
    """What a case may use. `server` is everybody's; one with options is started for the case."""

    def __init__(self, binary, node_folder, node):
        self.binary = binary
        self.node_folder = node_folder
        self.node = node
        self._server = None

    @property
    def server(self):
        if self._server is None:
            self._server = Server(self.binary)
        return self._server

    def start(self, *options, **named):
        return Server(self.binary, *options, **named)

    def start_with_keys(self, folder, *options):
        keys = pathlib.Path(folder) / "keys"
        keys.write_text(f"{KEY_A}\n{KEY_B}\n")
        keys.chmod(0o600)
        return Server(self.binary, "--api-key-file", str(keys), *options)

    def close(self):
        if self._server is not None:
            self._server.close()
