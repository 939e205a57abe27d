"""drive.py WIDTH CASES: plays so many workflows of ten durable steps on DBOS and SQLite, so many at a time; prints
their times in milliseconds and how long all took."""

import os
import sys

from dbos import DBOS
from play import measure

WIDTH, CASES = (int(arg) for arg in sys.argv[1:3])
FILE = os.path.abspath(f"dbos-{os.getpid()}.sqlite")
DBOS(
    config={
        "name": "cases",
        "system_database_url": f"sqlite:///{FILE}",
        "log_level": "CRITICAL",
        "run_admin_server": False,
    }
)


@DBOS.step()
def step(number: int) -> int:
    return number


@DBOS.workflow()
def ten() -> int:
    return sum(step(number) for number in range(1, 11))


def one():
    assert ten() == 55


DBOS.launch()
measure(WIDTH, CASES, one)
