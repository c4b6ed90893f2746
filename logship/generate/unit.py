"""The systemd unit of `logship forward`: it may read its settings, write its own folder and reach the network."""

from __future__ import annotations

from pathlib import PurePosixPath
from posixpath import normpath
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from logship.settings import Forward

FILE: Final = "logship-forward.service"
HOME: Final = PurePosixPath("/var/lib/logship")
"""The folder that systemd makes for it; relative paths of the settings begin there."""
_PRIVILEGED_PORTS: Final = 1024

_TEXT: Final = """\
# Written by `logship generate stack`; edit the settings and run that again. Install it as
# /etc/systemd/system/{file}, then: systemctl daemon-reload; systemctl enable --now {name}
[Unit]
Description=logship: logs into the store
Wants=network-online.target
After=network-online.target

[Service]
Type=notify
NotifyAccess=main
ExecStart={command}
ExecReload=/bin/kill -HUP $MAINPID
{environment}\
EnvironmentFile=-/etc/logship/environment
WorkingDirectory={home}
{owner}\
# Ready when a source has listed what there is to read; silent for a minute means stuck, as /healthz has it.
TimeoutStartSec=180
WatchdogSec=60
Restart=on-failure
RestartSec=5
# Settings that cannot be used stay so until somebody changes them.
RestartPreventExitStatus=2
# SIGTERM stores what was read, which takes 10 s at most.
TimeoutStopSec=15
MemoryMax=512M

UMask=0077
NoNewPrivileges=yes
CapabilityBoundingSet={capabilities}
AmbientCapabilities={capabilities}
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service

[Install]
WantedBy=multi-user.target
"""


def unit(
    forward: Forward, *, folders: Sequence[str], variables: Sequence[str], command: Sequence[str], file: str = FILE
) -> str:
    """The text of the unit.

    Args:
        forward: the settings.
        folders: what it writes: its state, and a store that is a folder.
        variables: names of environment variables that the settings refer to.
        command: program and arguments.
        file: what the unit is called.
    """
    port = any(_is_privileged(source.listen) for source in forward.source if source.type == "firehose")
    names = ", ".join(variables)
    return _TEXT.format(
        file=file,
        name=file.removesuffix(".service"),
        command=" ".join(_word(word) for word in command),
        environment=f"# The settings refer to these variables, a NAME=value each: {names}\n" if names else "",
        home=HOME,
        owner="".join(f"{line}\n" for line in _owner(folders)),
        capabilities="CAP_NET_BIND_SERVICE" if port or _is_privileged(forward.listen) else "",
    )


def _owner(folders: Sequence[str]) -> Iterator[str]:
    """Who it runs as: a user that is there while it runs, or one that stays, to own folders elsewhere."""
    places = [PurePosixPath(normpath(HOME / folder)) for folder in folders]
    elsewhere = [str(place) for place in places if not place.is_relative_to(HOME)]
    yield f"StateDirectory={HOME.name}"
    if not elsewhere:
        yield "DynamicUser=yes"
        return
    yield f"# Folders outside {HOME} are to belong to this user: useradd --system logship"
    yield "User=logship"
    yield f"ReadWritePaths={' '.join(_word(folder) for folder in elsewhere)}"


def _is_privileged(listen: str) -> bool:
    port = listen.rpartition(":")[2]
    return port.isdecimal() and 0 < int(port) < _PRIVILEGED_PORTS


def _word(text: str) -> str:
    """A word of a unit: ``%`` and ``$`` stand for themselves, blanks do not part it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"' if set(escaped) & set(" \t'") else escaped
