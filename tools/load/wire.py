"""HTTP/1.1 as strictly as a client may read it, on a socket that can also be misused."""

import re
import socket
import struct

LINE_BYTES_MAX = 64 << 10


class NoHttp(Exception):
    """What came is no response, or not all of one."""


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers  # names in small letters
        self.body = body

    @property
    def closes(self):
        return self.headers.get("connection") == "close"


class Wire:
    """One connection. Use it in a `with`."""

    def __init__(self, host, port, patience_s, receive_bytes=None):
        self.host = f"{host}:{port}"
        self.socket = socket.socket()
        if receive_bytes is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.settimeout(patience_s)
        self.socket.connect((host, port))
        self._file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()
        self.socket.close()

    def reset(self):
        """Closes so that the other side sees an error, not an end."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def send(self, data):
        self.socket.sendall(data)

    def request(self, method, path, body=None, headers=()):
        """The bytes of a request; `body` is bytes."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.host}", *headers]
        if body is not None:
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b"")

    def read(self, method="POST", on_piece=lambda: None):
        """The next response, behind interim ones. `on_piece` is called for each chunk of its body."""
        while True:
            status, headers = self._read_head()
            if status >= 200:
                break
        if method == "HEAD" or status == 204:
            return Answer(status, headers, b"")
        if headers.get("transfer-encoding") == "chunked":
            return Answer(status, headers, self._read_chunks(on_piece))
        length = headers.get("content-length", "")
        if not length.isdigit():
            raise NoHttp(f"neither chunks nor a length: {headers}")
        return Answer(status, headers, self._read_bytes(int(length)))

    def _read_head(self):
        line = self._read_line()
        found = re.fullmatch(r"HTTP/1\.1 (\d{3}) [\w ]+", line)
        if not found:
            raise NoHttp(f"no status line: {line[:100]!r}")
        headers = {}
        while line := self._read_line():
            name, colon, value = line.partition(": ")
            if not colon or not re.fullmatch(r"[\w-]+", name) or name.lower() in headers:
                raise NoHttp(f"no header: {line[:100]!r}")
            headers[name.lower()] = value
        return int(found[1]), headers

    def _read_chunks(self, on_piece):
        pieces = []
        while True:
            line = self._read_line()
            if not re.fullmatch(r"[0-9a-f]+", line):
                raise NoHttp(f"no size of a chunk: {line[:100]!r}")
            piece = self._read_bytes(int(line, 16))
            if self._read_line():
                raise NoHttp("a chunk is longer than it says")
            if not piece:
                return b"".join(pieces)
            pieces.append(piece)
            on_piece()

    def _read_line(self):
        line = self._file.readline(LINE_BYTES_MAX)
        if not line.endswith(b"\r\n"):
            raise NoHttp("the connection ends in a response" if line else "the connection ends without a response")
        return line[:-2].decode("latin-1")

    def _read_bytes(self, count):
        data = self._file.read(count)
        if len(data) < count:
            raise NoHttp("the connection ends in a response")
        return data
