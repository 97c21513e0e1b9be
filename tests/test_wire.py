"""Plain data over a socket: what is sent arrives as it was, and what is no message is refused."""

import socket
import struct
import threading
import time

import numpy as np
import pytest

from rnngrade.wire import MOST_BYTES, Closed, Garbled, TimedOut, Wire


@pytest.fixture
def ends():
    one, other = socket.socketpair()
    with one, other:
        yield Wire(one), Wire(other)


def framed(text: bytes) -> bytes:
    return struct.pack(">I", len(text)) + text


def test_values_arrive_as_they_were(ends) -> None:
    rng = np.random.default_rng(0)
    arrays = [
        rng.standard_normal((3, 4, 2)),
        rng.standard_normal((2, 0)).astype(np.float32),
        np.array(np.nan),
        rng.integers(0, 9, (4,)),
        np.array([[True, False]]),
        rng.standard_normal((4, 6))[::2, ::-3],
    ]
    sent = {"a": arrays, "b": (1, 2.5, "ü\ud800", None, True, (3,)), "c": {"d": np.float64(0.1)}}
    ends[0].send(sent)
    got = ends[1].receive()
    assert (got["b"], got["c"]) == (sent["b"], {"d": 0.1})
    for one, other in zip(arrays, got["a"], strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
        assert other.flags.writeable


@pytest.mark.parametrize("value", [object(), np.array([None]), {1, 2}, len, np.array(["a"])])
def test_what_is_no_plain_data_is_not_sent(ends, value: object) -> None:
    with pytest.raises(TypeError, match="no plain data"):
        ends[0].send({"value": value})


@pytest.mark.parametrize(
    "data",
    [
        framed(b"not json"),
        framed(b"[1]"),
        framed(b"\xff\xff"),
        framed(b"[" * 100_000),
        framed(b'{"a": {"array of": "object", "shape": [1], "data": ""}}'),
        framed(b'{"a": {"array of": "float64", "shape": [2], "data": "AAAA"}}'),
        framed(b'{"a": {"array of": "float64", "shape": [-1], "data": ""}}'),
        framed(b'{"a": {"array of": "float64", "shape": "ab", "data": ""}}'),
        framed(b'{"a": {"array of": "float64"}}'),
        framed(b'{"a": {"array of": "float64", "shape": [1], "data": "????"}}'),
        struct.pack(">I", MOST_BYTES + 1),
    ],
)
def test_what_is_no_message_is_garbled(ends, data: bytes) -> None:
    threading.Thread(target=ends[0].socket.sendall, args=[data]).start()
    with pytest.raises(Garbled):
        ends[1].receive(time.monotonic() + 5)


def test_half_a_message_is_waited_for_and_kept(ends) -> None:
    data = framed(b'{"a": 1}')
    ends[0].socket.sendall(data[:7])
    with pytest.raises(TimedOut):
        ends[1].receive(time.monotonic() + 0.05)
    ends[0].socket.sendall(data[7:] + data)
    assert [ends[1].receive(), ends[1].receive()] == [{"a": 1}, {"a": 1}]


def test_one_who_never_stops_talking_runs_out_of_time(ends) -> None:
    ends[0].socket.sendall(struct.pack(">I", 10**6))
    stop = threading.Event()

    def drip() -> None:
        while not stop.wait(0.001):
            ends[0].socket.sendall(b"x")

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        with pytest.raises(TimedOut):
            ends[1].receive(time.monotonic() + 0.2)
    finally:
        stop.set()
        thread.join()


def test_one_who_does_not_listen_is_given_up(ends) -> None:
    with pytest.raises(Closed):
        ends[0].send({"a": "x" * 10**7}, time.monotonic() + 0.2)


def test_hanging_up_is_noticed(ends) -> None:
    ends[0].close()
    with pytest.raises(Closed):
        ends[1].receive()
    with pytest.raises(Closed):
        ends[1].send({"a": "x" * 10**7})
