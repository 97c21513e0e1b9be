"""Source is parsed by one thread at a time."""

import ast
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from rnngrade import source


def test_one_thread_at_a_time(monkeypatch):
    inside, most, real = [], [], ast.parse

    def slow(text):
        inside.append(threading.get_ident())
        most.append(len(inside))
        time.sleep(0.01)
        inside.pop()
        return real(text)

    monkeypatch.setattr(ast, "parse", slow)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(source.parse, ["a = 1", "b = 2", "c = 3", "d = 4"]))
    assert max(most) == 1
    assert [tree.body[0].targets[0].id for tree in found] == ["a", "b", "c", "d"]


def test_what_is_no_python_is_refused_and_the_next_is_parsed():
    with pytest.raises(SyntaxError):
        source.parse("a = ")
    assert source.parse("a = 1").body
