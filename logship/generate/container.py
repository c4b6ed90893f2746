"""The Containerfile of `logship forward`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from logship.generate.unit import HOME

if TYPE_CHECKING:
    from collections.abc import Sequence

    from logship.settings import Forward

FILE: Final = "Containerfile"
_USER: Final = 10001
_EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where to ask, not where to listen

_TEXT: Final = """\
# Written by `logship generate stack`; edit the settings and run that again. Build it beside {settings}:
#   podman build --format docker -f {folder}/Containerfile -t logship .     (or docker build -f …)
#   podman run --volume logship:{home} --env-file environment logship
FROM python:3.12-slim
RUN pip install --no-cache-dir '{package}' \\
 && useradd --system --uid {user} --home-dir {home} --create-home logship
COPY {copied}
USER {user}
WORKDIR {home}
VOLUME {home}
{ports}\
STOPSIGNAL SIGTERM
{health}
ENTRYPOINT ["logship"]
CMD ["forward", "--config", "/etc/logship/logship.toml"]
"""


def container(forward: Forward, *, extras: Sequence[str], version: str, settings: str, folder: str) -> str:
    """The text of the Containerfile.

    Args:
        forward: the settings.
        extras: what logship needs to be installed with.
        version: of logship.
        settings: name of the settings file, in the folder that the container is built in.
        folder: where the Containerfile lies, seen from there.
    """
    listening = [source.listen for source in forward.source if source.type == "firehose"]
    ports = sorted({int(listen.rpartition(":")[2]) for listen in [forward.listen, *listening] if _has_port(listen)})
    return _TEXT.format(
        settings=settings,
        copied=json.dumps([settings, "/etc/logship/logship.toml"]),
        folder=folder,
        package=f"logship[{','.join(extras)}]=={version}" if extras else f"logship=={version}",
        user=_USER,
        home=HOME,
        ports=f"EXPOSE {' '.join(map(str, ports))}\n" if ports else "",
        health=_health(forward.listen),
    )


def _health(listen: str) -> str:
    """Asks ``/healthz`` from inside, past any proxy; a forwarder that serves none is not asked."""
    if not _has_port(listen):
        return "HEALTHCHECK NONE"
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    ask = (
        f'import http.client as c; h = c.HTTPConnection("{_EVERYWHERE.get(host, host)}", {port}, timeout=4); '
        'h.request("GET", "/healthz"); raise SystemExit(h.getresponse().status != 200)'
    )
    command = json.dumps(["python", "-c", ask])
    return f"HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD {command}"


def _has_port(listen: str) -> bool:
    port = listen.rpartition(":")[2]
    return port.isdecimal() and int(port) > 0
