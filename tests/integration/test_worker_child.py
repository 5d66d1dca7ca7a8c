"""Real children, really killed: what they do to themselves, and what the parent says of it."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sftp_gateway.errors import Broken, DiskFull, LeaseLost, Refused
from sftp_gateway.worker.message import Task
from sftp_gateway.worker.nursery import Nursery
from sftp_gateway.worker.watch import Bounds, Child, Ears

HERE = Path(__file__).parent
ROOMY = Bounds(memory_bytes=1 << 30, seconds=60)


@pytest.fixture(scope="module")
def nursery():
    sys.path.insert(0, str(HERE))
    nursery = Nursery(("standin",))
    yield nursery
    nursery.close()
    sys.path.remove(str(HERE))


@pytest.fixture
def child(nursery):
    child = Child(nursery.birth())
    yield child
    child.close()


def ears(**kwargs):
    return Ears(
        **({"lookup": lambda upload: upload * 2, "progress": lambda stage, share: None, "beat": lambda: None} | kwargs)
    )


def gone(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state in "ZX"


def wait_gone(pid):
    until = time.monotonic() + 30
    while not gone(pid):
        assert time.monotonic() < until, f"process {pid} lives on"
        time.sleep(0.01)


def test_a_child_runs_the_step_asks_the_parent_and_tells_its_progress(child):
    told = []
    result = child.run(
        Task("standin:echo", ("x",)), ROOMY, ears(progress=lambda stage, share: told.append((stage, share)))
    )
    assert result["value"] == "x"
    assert result["found"] == 14
    assert result["pid"] == child.pid != os.getpid()
    assert told == [("read", 0.5)]


def test_a_warm_child_runs_one_task_after_another(child):
    first = child.run(Task("standin:echo", (1,)), ROOMY, ears())
    second = child.run(Task("standin:plain", (2,), asks=False), ROOMY, ears())
    assert (first["value"], second, child.tasks) == (1, 2, 2)


def test_a_child_is_given_no_secret_by_environment(nursery, monkeypatch):
    monkeypatch.setenv("SFTP_GATEWAY_STORE__URL", "postgresql://x:secret@db/x")
    with contextlib.closing(Nursery(("standin",))) as fresh, contextlib.closing(Child(fresh.birth())) as child:
        assert not [name for name in child.run(Task("standin:echo", (1,)), ROOMY, ears())["environ"] if "STORE" in name]


def test_a_segfault_kills_the_child_alone_and_leaves_its_traceback(child):
    with pytest.raises(Broken, match=r"died \(SIGSEGV\)") as caught:
        child.run(Task("standin:segfault", ()), ROOMY, ears())
    assert "in segfault" in str(caught.value)
    assert not child.alive


def test_a_child_that_takes_endless_memory_is_stopped(child):
    with pytest.raises(Broken, match=r"stopped: it used \d+ MiB of memory, 300 MiB are allowed"):
        child.run(Task("standin:eat_memory", ()), Bounds(300 << 20, 60), ears())
    wait_gone(child.pid)
    assert child.peak_bytes < 900 << 20


def test_an_endless_loop_that_holds_the_interpreter_is_stopped(child):
    with pytest.raises(Broken, match=r"not done after 0.3 s"):
        child.run(Task("standin:loop_in_c", ()), Bounds(1 << 30, 0.3), ears())
    wait_gone(child.pid)


def test_a_child_that_stops_in_the_middle_of_a_message_does_not_stop_the_watch(child):
    with pytest.raises(Broken, match="not done after"):
        child.run(Task("standin:half_message", ()), Bounds(1 << 30, 0.3), ears())


def test_a_child_that_talks_without_end_is_watched_too(child):
    with pytest.raises(Broken, match="not done after"):
        child.run(Task("standin:talk_without_end", ()), Bounds(1 << 30, 0.3), ears())
    wait_gone(child.pid)


def test_our_errors_cross_the_border_whole_and_leave_the_child_well(child):
    with pytest.raises(Refused, match="nothing in it") as caught:
        child.run(Task("standin:refuse", ()), ROOMY, ears())
    assert (caught.value.code, caught.value.suggestion) == ("FILE_EMPTY", "send it again")
    assert child.run(Task("standin:plain", (3,), asks=False), ROOMY, ears()) == 3


def test_no_room_on_the_disk_is_no_fault_of_the_file(child):
    with pytest.raises(DiskFull):
        child.run(Task("standin:no_room", ()), ROOMY, ears())


def test_any_other_error_is_ours_and_brings_its_traceback(child):
    with pytest.raises(Broken, match="ZeroDivisionError: integer") as caught:
        child.run(Task("standin:divide", ()), ROOMY, ears())
    assert "in divide" in str(caught.value)


def test_an_error_of_several_lines_is_told_by_its_first(child):
    with pytest.raises(Broken) as caught:
        child.run(Task("standin:ask_wrongly", ()), ROOMY, ears())
    assert str(caught.value).splitlines()[0] == "a catalog step broke: ValueError: no number: 'on request'"


def test_a_child_cannot_make_the_parent_run_anything(child):
    with pytest.raises(Broken, match=r"sent a posix\.system"):
        child.run(Task("standin:evil", ()), ROOMY, ears())


def test_a_lost_lease_kills_the_child(child, tmp_path):
    mark = tmp_path / "mark"

    def beat():
        if mark.exists():
            raise LeaseLost("another worker has it")

    with pytest.raises(LeaseLost):
        child.run(Task("standin:leave_mark_and_wait", (str(mark),)), ROOMY, ears(beat=beat))
    wait_gone(child.pid)


def test_a_dead_nursery_is_started_again_and_its_children_died_with_it(nursery):
    first = Child(nursery.birth())
    nursery._process.kill()
    wait_gone(first.pid)
    with contextlib.closing(Child(nursery.birth())) as second:
        assert second.run(Task("standin:plain", (1,), asks=False), ROOMY, ears()) == 1
    first.close()


def test_a_nursery_whose_parent_left_before_it_was_answered_ends_without_a_word():
    """As after Ctrl-C in a verb: it would print a stack on the person's terminal."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    wire, kept = socket.socketpair()
    fate, told = os.pipe()
    os.close(fate)
    socket.send_fds(ours, [b"birth"], [wire.fileno(), told])
    program = [sys.executable, "-P", "-m", "sftp_gateway.worker.nursery", str(theirs.fileno())]
    nursery = subprocess.Popen(program, pass_fds=[theirs.fileno()], stderr=subprocess.PIPE)
    os.close(told)
    for one in (theirs, wire, kept, ours):
        one.close()
    assert (nursery.communicate(timeout=60)[1], nursery.returncode) == (b"", 0)


def test_children_die_with_a_killed_parent(tmp_path):
    program = """
import sys
from sftp_gateway.worker.message import Task
from sftp_gateway.worker.nursery import Nursery
from sftp_gateway.worker.watch import Bounds, Child, Ears
nursery = Nursery(("standin",))
child = Child(nursery.birth())
child.run(Task("standin:leave_mark_and_wait", (sys.argv[1],)), Bounds(1 << 30, 60), Ears(print, print, int))
"""
    mark = tmp_path / "mark"
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(mark)], env={**os.environ, "PYTHONPATH": f"{HERE}:{HERE.parents[1]}"}
    )
    until = time.monotonic() + 30
    while not (mark.exists() and mark.read_text()):
        assert time.monotonic() < until
        time.sleep(0.01)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    wait_gone(int(mark.read_text()))
