"""Plain data over a socket: one length and one JSON text a message. Nothing that arrives is ever executed.

JSON's own types and tuples pass as they are; arrays as their dtype, shape and bytes.
"""

import base64
import json
import socket
import struct
import threading
import time
from typing import Any

import numpy as np

__all__ = ["Closed", "Garbled", "TimedOut", "Wire"]

_LENGTH = struct.Struct(">I")
_DTYPES = ("bool", "int32", "int64", "uint8", "uint32", "uint64", "float32", "float64")
_ARRAY, _TUPLE = "array of", "tuple of"
MOST_BYTES = 4 * 2**20
"""Of one message from behind the wall; a sender of more is not believed."""


class Closed(ConnectionError):
    """The other side is gone."""


class Garbled(ValueError):
    """What arrived is no message."""


class TimedOut(TimeoutError):
    """Nothing arrived in time."""


def _packed(value: Any) -> Any:
    if isinstance(value, np.ndarray) and value.dtype.name in _DTYPES:
        data = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode("ascii")
        return {_ARRAY: value.dtype.name, "shape": list(value.shape), "data": data}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, tuple):
        return {_TUPLE: [_packed(item) for item in value]}
    if isinstance(value, list):
        return [_packed(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _packed(item) for key, item in value.items()}
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(f"a {type(value).__name__} is no plain data")


def _unpacked(value: dict[str, Any]) -> Any:
    if _TUPLE in value:
        return tuple(value[_TUPLE])
    if _ARRAY not in value:
        return value
    name, shape, data = value[_ARRAY], value["shape"], base64.b64decode(value["data"], validate=True)
    if name not in _DTYPES or not all(type(n) is int and n >= 0 for n in shape) or len(shape) > 32:
        raise Garbled("an array of a kind that is not sent")
    return np.frombuffer(data, dtype=name).reshape(shape).copy()


class Wire:
    """One end of a connection that carries plain data. Sending is safe from several threads.

    Args:
        connection: a connected socket.
        most: bytes of one message that are taken from the other side.
    """

    def __init__(self, connection: socket.socket, most: int = MOST_BYTES) -> None:
        self.socket, self.most = connection, most
        self._arrived = bytearray()
        self._lock = threading.Lock()

    def send(self, message: dict[str, Any], deadline: float | None = None) -> None:
        """Send one message; Closed where nobody takes it (until `deadline`, of time.monotonic)."""
        text = json.dumps(_packed(message)).encode("utf-8", "surrogatepass")
        try:
            with self._lock:
                self._wait_until(deadline)
                self.socket.sendall(_LENGTH.pack(len(text)) + text)
        except OSError as error:
            raise Closed(str(error)) from None

    def receive(self, deadline: float | None = None) -> dict[str, Any]:
        """The next message, waited for until `deadline` (of time.monotonic).

        Raises:
            TimedOut: nothing whole arrived in time; what has begun to arrive is kept for the next call.
            Closed: the other side has hung up.
            Garbled: it sent what is no message, or one too large.
        """
        self._gather(_LENGTH.size, deadline)
        (length,) = _LENGTH.unpack_from(self._arrived)
        if length > self.most:
            raise Garbled(f"a message of {length} bytes; {self.most} are the most")
        self._gather(_LENGTH.size + length, deadline)
        text = bytes(self._arrived[_LENGTH.size : _LENGTH.size + length])
        del self._arrived[: _LENGTH.size + length]
        try:
            message = json.loads(text.decode("utf-8", "surrogatepass"), object_hook=_unpacked)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise Garbled(f"{type(error).__name__}: {error}") from None
        if not isinstance(message, dict):
            raise Garbled(f"a {type(message).__name__} in place of a message")
        return message

    def close(self) -> None:
        """Hang up."""
        self.socket.close()

    def _wait_until(self, deadline: float | None) -> None:
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            raise TimeoutError
        self.socket.settimeout(left)

    def _gather(self, count: int, deadline: float | None) -> None:
        while len(self._arrived) < count:
            try:
                self._wait_until(deadline)
                part = self.socket.recv(2**20)
            except TimeoutError:
                raise TimedOut from None
            except OSError as error:
                raise Closed(str(error)) from None
            if not part:
                raise Closed("the other side has hung up")
            self._arrived += part
