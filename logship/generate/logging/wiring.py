"""What a service's wiring needs to know, and the frameworks that it can be written for."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from logship.errors import UsageError
from logship.generate.logging import templates
from logship.generate.written import BEGIN, END
from logship.naming import Naming

if TYPE_CHECKING:
    from collections.abc import Callable

    from logship.settings import Service, Settings

_STREAM: Final = Naming().stream


@dataclass(frozen=True, kw_only=True)
class Wired:
    """One service, as its wiring names it."""

    service: str
    group: str
    """By the naming rule, as the agent's configs and the forwarder have it."""
    stream: str | None
    """A pattern that the handler fills in when the process runs; None is the handler's own ``{host}/{pid}``."""
    retention_days: int | None
    log_class: str | None

    def options(self) -> dict[str, Any]:
        """The handler's parameters, in the order they are written."""
        found = {
            "log_group_name": self.group,
            "log_stream_name": self.stream,
            "service": self.service,
            "log_group_retention_days": self.retention_days,
            "log_group_class": self.log_class,
        }
        return {name: value for name, value in found.items() if value is not None}

    def call(self) -> str:
        """The arguments of ``logship.setup``."""
        given = {"service": self.service, "group": self.group, "stream": self.stream}
        more = {name: value for name, value in self.options().items() if name.startswith("log_group_")}
        more.pop("log_group_name", None)
        return ", ".join(
            f"{name}={json.dumps(value)}" for name, value in {**given, **more}.items() if value is not None
        )


def wired(settings: Settings, service: Service) -> Wired:
    """The wiring of a service.

    Raises:
        SettingsError: the naming rule makes a group that CloudWatch does not take.
    """
    naming = Naming(app=settings.naming.app, group=settings.naming.group, stream=settings.naming.stream)
    return Wired(
        service=service.name,
        group=naming.group_name(service.name),
        stream=None if naming.stream == _STREAM else naming.stream.replace("{app}", naming.app),
        retention_days=service.retention_days if (service.retention_days or 0) > 0 else None,
        log_class=service.log_class or None,
    )


FRAMEWORKS: Final[dict[str, tuple[str, str, Callable[[Wired], str]]]] = {
    "python": ("logging_config.py", "a dictConfig as a Python module", templates.dict_config),
    "json": ("logging.json", "the same as JSON", templates.as_json),
    "yaml": ("logging.yaml", "the same as YAML", templates.as_yaml),
    "fastapi": ("logging_setup.py", "FastAPI and Starlette under uvicorn", templates.fastapi),
    "flask": ("logging_setup.py", "Flask", templates.flask),
    "django": ("logging_settings.py", "Django settings: LOGGING and its middleware", templates.django),
    "celery": ("logging_celery.py", "Celery workers and those who send tasks", templates.celery),
    "gunicorn": ("gunicorn.conf.py", "gunicorn's own configuration file", templates.gunicorn),
    "structlog": ("logging_structlog.py", "structlog on top of logging", templates.structlog),
    "loguru": ("logging_loguru.py", "loguru's records into logging", templates.loguru),
    "lambda": ("logging_lambda.py", "AWS Lambda in Python", templates.aws_lambda),
    "script": ("logging_script.py", "scripts, jobs and notebooks", templates.script),
}
"""Name → (file, what it is for, its text)."""
ALIASES: Final = {
    "dictconfig": "python", "starlette": "fastapi", "uvicorn": "fastapi", "aws-lambda": "lambda", "jupyter": "script",
    "notebook": "script",
}  # fmt: skip


def known(name: str) -> str:
    """The framework of a name, alias or spelling.

    Raises:
        UsageError: there is none.
    """
    from difflib import get_close_matches

    plain = name.strip().lower()
    plain = ALIASES.get(plain, plain)
    if plain in FRAMEWORKS:
        return plain
    near = get_close_matches(plain, [*FRAMEWORKS, *ALIASES], 1)
    hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(FRAMEWORKS)}"
    raise UsageError(f"framework {name!r} is unknown; {hint}")


def files(of: Wired, frameworks: list[str]) -> dict[str, str]:
    """The files by name. Where two frameworks share a file's name, each gets its own.

    Raises:
        UsageError: a framework is unknown.
    """
    found: dict[str, str] = {}
    for name in frameworks:
        file, _about, text = FRAMEWORKS[known(name)]
        if file in found:
            stem, dot, ending = file.partition(".")
            file = f"{stem}_{known(name)}{dot}{ending}"
        found[file] = _marked(file, text(of))
    return found


def _marked(file: str, text: str) -> str:
    """Python and YAML have a part that is ours, so that the rest may be anybody's; JSON is ours whole."""
    if file.endswith(".json"):
        return text
    return f"{BEGIN} (written by `logship generate logging`; what stands outside is kept)\n{text.rstrip()}\n{END}\n"
