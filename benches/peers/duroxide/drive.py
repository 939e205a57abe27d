"""drive.py WIDTH CASES: plays so many orchestrations of ten activities on duroxide and SQLite, so many at a time; prints
their times in milliseconds and how long all took."""

import os
import sys
import uuid

from duroxide import Client, Runtime, RuntimeOptions, SqliteProvider
from play import measure

WIDTH, CASES = (int(arg) for arg in sys.argv[1:3])
FILE = os.path.abspath(f"duroxide-{os.getpid()}.sqlite")
open(FILE, "w").close()
PROVIDER = SqliteProvider.open(f"sqlite:{FILE}")


def ten(context, _):
    total = 0
    for number in range(1, 11):
        total += yield context.schedule_activity("step", number)
    return total


runtime = Runtime(PROVIDER, RuntimeOptions(log_level="error"))
runtime.register_activity("step", lambda context, number: number)
runtime.register_orchestration("ten", ten)
runtime.start()
client = Client(PROVIDER)


def one():
    case = uuid.uuid4().hex
    client.start_orchestration(case, "ten", None)
    assert client.wait_for_orchestration(case, 120_000).output == 55


measure(WIDTH, CASES, one)
