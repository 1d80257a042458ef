"""What is done with the messages of the process that starts trials."""

from __future__ import annotations

from multiprocessing import Pipe
from typing import Any

import pytest

from resexp.execution.messages import receive


def test_all_messages_that_have_arrived_are_heard() -> None:
    ours, theirs = Pipe()
    heard: list[Any] = []
    theirs.send((1, "a"))
    theirs.send((2, "b"))
    receive(ours, 0, lambda *message: heard.append(message), lambda: pytest.fail("lost"))
    receive(ours, 0, lambda *message: pytest.fail("heard twice"), lambda: pytest.fail("lost"))
    assert heard == [(1, "a"), (2, "b")]


def test_messages_sent_before_the_other_process_ended_are_heard() -> None:
    ours, theirs = Pipe()
    heard: list[Any] = []
    theirs.send((1,))
    theirs.close()
    receive(ours, 0, heard.append, lambda: heard.append("lost"))
    assert heard == [1, "lost"]


@pytest.mark.parametrize("error", [FileNotFoundError("gone"), EOFError("end"), KeyboardInterrupt()])
def test_an_error_of_the_listener_is_raised_even_if_it_looks_like_a_lost_connection(
    error: BaseException,
) -> None:
    ours, theirs = Pipe()
    lost: list[str] = []

    def hear(_: int) -> None:
        raise error

    theirs.send((1,))
    with pytest.raises(type(error)):
        receive(ours, 0, hear, lambda: lost.append("lost"))
    assert lost == ["lost"]
