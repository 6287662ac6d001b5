"""A client for the few Redis commands that the shop needs (RESP2, https://redis.io/docs/reference/protocol-spec)."""

import select
import socket
import time


class RedisError(Exception):
    """Redis answered with an error, or could not be reached in time."""


class RedisClient:
    """One connection; not for several threads. Waits while the cache is being replaced, at most `patience_s`."""

    def __init__(self, host: str, port: int, patience_s: float = 8.0):
        self._address = (host, port)
        self._patience_s = patience_s
        self._socket = None
        self._reader = None

    def read(self, *command):
        """For commands that change nothing: asked again when the connection is lost."""
        return self._call(command, repeatable=True)

    def write(self, *command):
        """For commands that must not happen twice: asked again only when they cannot have arrived."""
        return self._call(command, repeatable=False)

    def _call(self, command, repeatable):
        give_up_at = time.monotonic() + self._patience_s
        while True:
            sent = False
            try:
                self._connect()
                sent = True
                self._socket.sendall(_encode(command))
                return self._reply()
            except OSError as error:
                self._close()
                if (sent and not repeatable) or time.monotonic() > give_up_at:
                    raise RedisError(f"cache: {error}") from error
                time.sleep(0.05)

    def _connect(self):
        # A readable idle connection has been closed by the other side: nothing else would send now.
        if self._socket is not None and select.select([self._socket], [], [], 0)[0]:
            self._close()
        if self._socket is None:
            self._socket = socket.create_connection(self._address, timeout=5)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._reader = self._socket.makefile("rb")

    def _close(self):
        if self._socket is not None:
            self._reader.close()
            self._socket.close()
        self._socket = None

    def _reply(self):
        line = self._reader.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the connection was closed")
        kind, text = line[:1], line[1:-2].decode()
        if kind == b"+":
            return text
        if kind == b":":
            return int(text)
        if kind == b"$":
            return None if text == "-1" else self._reader.read(int(text) + 2)[:-2].decode()
        if kind == b"*":
            return [self._reply() for _ in range(int(text))]
        raise RedisError(f"cache: {text}")


def _encode(command):
    parts = [str(part).encode() for part in command]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
