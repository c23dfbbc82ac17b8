"""Fetches Apache Kafka and what it needs with Maven, once, into the user's cache folder."""

import asyncio
import contextlib
import hashlib
import os
import re
import shutil
import signal
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections.abc import Callable
from pathlib import Path

from tests.servers.errors import NotHere

POM = Path(__file__).with_name("pom.xml")
_OLDEST_JAVA = 17
_JAVA_TIMEOUT = 20.0
_FETCH_TIMEOUT = 900.0
_SHOWN = 1500


def kafka_version() -> str:
    """The version that the `pom.xml` names."""
    found = re.search(r"<kafka\.version>(.+?)</kafka\.version>", POM.read_text())
    if found is None:
        raise ValueError(f"{POM} names no kafka.version")
    return found[1]


def cache_folder() -> Path:
    """Where this version's jars lie; another one for every change of the `pom.xml`."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    digest = hashlib.sha256(POM.read_bytes()).hexdigest()[:8]
    return Path(home) / "placet" / f"kafka-{kafka_version()}-{digest}"


async def find_java() -> Path:
    """A `java` that Kafka 4 runs on. Raises NotHere."""
    home = os.environ.get("JAVA_HOME")
    java = f"{home}/bin/java" if home else shutil.which("java")
    if java is None:
        raise NotHere("no java on the PATH")
    code, said = await _run([java, "-version"], _JAVA_TIMEOUT)
    version = re.search(r'version "(\d+)', said)
    if code != 0 or version is None:
        raise NotHere(f"{java} does not run")
    if int(version[1]) < _OLDEST_JAVA:
        raise NotHere(f"{java} is version {version[1]}, Kafka needs {_OLDEST_JAVA} or newer")
    return Path(java)


async def fetch_jars(say: Callable[[str], None]) -> Path:
    """The folder with Kafka's jars; fetched where absent, which may take minutes.

    `say` gets a line before and after. Raises NotHere.
    """
    folder = cache_folder() / "jars"
    if folder.is_dir():
        return folder
    maven = shutil.which("mvn")
    if maven is None:
        raise NotHere("no mvn on the PATH")
    say(f"Fetching Apache Kafka {kafka_version()} with mvn (once, about 45 MB) …")
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Moved into place when whole, so that an interrupted fetch is not taken for jars.
    with tempfile.TemporaryDirectory(dir=folder.parent) as unfinished:
        jars = Path(unfinished) / "jars"
        order = [
            maven,
            "--batch-mode",
            "--quiet",
            f"--file={POM}",
            "dependency:copy-dependencies",
            "-DincludeScope=runtime",
            f"-DoutputDirectory={jars}",
        ]
        code, said = await _run(order, _FETCH_TIMEOUT)
        if code != 0 or not any(jars.glob("kafka_*.jar")):
            raise NotHere(f"mvn could not fetch Apache Kafka: {said[-_SHOWN:].strip()}")
        with contextlib.suppress(OSError):  # another process was quicker
            jars.rename(folder)
    say(f"Apache Kafka {kafka_version()} is in {folder}.")
    return folder


async def _run(order: list[str], timeout: float) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *order,
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=STDOUT,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(timeout):
            said, _ = await process.communicate()
    except BaseException as error:
        # The whole group: `mvn` is a script that starts a Java.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        if isinstance(error, TimeoutError):
            raise NotHere(f"{order[0]} took more than {timeout:g} s") from error
        raise
    return await process.wait(), said.decode(errors="replace")
