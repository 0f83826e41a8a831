"""The service's event loop: nothing that other threads hand over is lost or late, however the moments fall."""

import asyncio
import os
import random
import signal
import threading
import time
from collections.abc import Coroutine
from typing import Any

from tasuki.serving.loop import QuietLoop


def run(work: Coroutine[Any, Any, Any]) -> Any:
    with asyncio.Runner(loop_factory=QuietLoop) as runner:
        return runner.run(work)


def test_everything_from_many_threads_is_called_once_and_in_each_threads_order() -> None:
    async def play() -> list[list[int]]:
        loop, called, done = asyncio.get_running_loop(), [list[int]() for _ in range(4)], asyncio.Event()

        def hand_over(number: int) -> None:
            drawn = random.Random(number)
            for one in range(3_000):
                loop.call_soon_threadsafe(called[number].append, one)
                if drawn.random() < 0.1:  # long enough for the loop to fall asleep, or nearly
                    time.sleep(drawn.random() * 0.0005)
            loop.call_soon_threadsafe(lambda: done.set() if all(len(one) == 3_000 for one in called) else None)

        threads = [threading.Thread(target=hand_over, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        await asyncio.wait_for(done.wait(), 30)
        for thread in threads:
            thread.join()
        return called

    assert run(play()) == [list(range(3_000))] * 4


def test_an_idle_loop_wakes_at_once_for_each_of_many_callbacks() -> None:
    async def play() -> float:
        loop, longest = asyncio.get_running_loop(), 0.0
        for turn in range(300):
            future: asyncio.Future[float] = loop.create_future()
            hand_over = threading.Timer(
                0.0002 * (turn % 5),
                lambda future=future: loop.call_soon_threadsafe(future.set_result, time.monotonic()),
            )
            hand_over.start()
            longest = max(longest, -(await asyncio.wait_for(future, 5)) + time.monotonic())
        return longest

    assert run(play()) < 1.0  # a lost wake-up would wait for the five seconds of the time-out


def test_signals_and_timers_come_through_while_there_is_always_work() -> None:
    async def play() -> tuple[bool, bool]:
        loop, told, busy = asyncio.get_running_loop(), asyncio.Event(), True

        def work() -> None:
            if busy:
                loop.call_soon(work)

        loop.add_signal_handler(signal.SIGUSR1, told.set)
        work()
        slept = time.monotonic()
        await asyncio.sleep(0.01)
        slept = time.monotonic() - slept
        os.kill(os.getpid(), signal.SIGUSR1)
        await asyncio.wait_for(told.wait(), 5)
        busy = False
        return slept < 1.0, told.is_set()

    assert run(play()) == (True, True)


def test_work_in_executors_and_the_debug_mode_go_on() -> None:
    async def play() -> int:
        return await asyncio.to_thread(lambda: 7)

    assert run(play()) == 7
    with asyncio.Runner(loop_factory=QuietLoop, debug=True) as runner:
        assert runner.run(play()) == 7
