"""Runs both servers in a folder, tells their pids, and stops on Ctrl-C: the parent to kill.

Usage: parent_program.py FOLDER asyncio|uvloop
"""

import asyncio
import json
import sys
from pathlib import Path

import uvloop

from services.embedded.broker import EmbeddedBroker
from services.embedded.data_dir import DataDir
from services.embedded.postgres import EmbeddedPostgres


async def main(folder: Path) -> None:
    with DataDir.claim(folder):
        async with (
            EmbeddedPostgres(folder / "postgres") as postgres,
            EmbeddedBroker(folder / "broker") as broker,
        ):
            facts = {"pids": [postgres.pid, broker.pid], "dsn": postgres.dsn}
            sys.stdout.write(json.dumps(facts) + "\n")
            sys.stdout.flush()
            await asyncio.Event().wait()


if __name__ == "__main__":
    try:
        loop = uvloop.new_event_loop if sys.argv[2] == "uvloop" else None
        with asyncio.Runner(loop_factory=loop) as runner:
            runner.run(main(Path(sys.argv[1])))
    except KeyboardInterrupt:
        sys.exit(130)
