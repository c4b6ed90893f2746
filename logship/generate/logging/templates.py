"""The text of each file, as a person would have written it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from logship.generate.logging.wiring import Wired


def dict_config(of: Wired) -> str:
    """A module with LOGGING and configure()."""
    return f'''"""Logging of {of.service}: everything goes to CloudWatch Logs, {of.group}."""

import logging.config

LOGGING = {_literal(_config(of))}


def configure() -> None:
    """Call this once, before the first record."""
    logging.config.dictConfig(LOGGING)
'''


def as_json(of: Wired) -> str:
    """For ``logging.config.dictConfig(json.load(...))`` and ``uvicorn --log-config``."""
    return json.dumps(_config(of), indent=2) + "\n"


def as_yaml(of: Wired) -> str:
    """For ``logging.config.dictConfig(yaml.safe_load(...))``."""
    return "\n".join(_yaml(_config(of), 0)) + "\n"


def fastapi(of: Wired) -> str:
    """A function that is given the application."""
    return f'''"""Logging of {of.service}: records to CloudWatch Logs, one for each request and outgoing call.

    app = FastAPI()
    configure(app)
"""

import logging

import logship
from logship.handler import RequestLogMiddleware


def configure(app):
    """Call this once, where the application is made."""
    logship.setup({of.call()})
    # Innermost last: a middleware that is added later sees the request before this one.
    app.add_middleware(RequestLogMiddleware)
    for name in ("uvicorn", "uvicorn.error"):
        server = logging.getLogger(name)
        server.handlers, server.propagate = [], True
    # Our request record says more than the line of the access log, which would be a second one.
    access = logging.getLogger("uvicorn.access")
    access.handlers, access.propagate = [], False


# Outgoing calls: logship.handler.instrument(httpx.AsyncClient()) joins the callee's trace to this one.
'''


def flask(of: Wired) -> str:
    """A function that is given the application."""
    return f'''"""Logging of {of.service}: records to CloudWatch Logs, one for each request.

    app = Flask(__name__)
    configure(app)
"""

import logging

import logship
from logship.handler import WSGIRequestLogMiddleware


def configure(app):
    """Call this once, where the application is made."""
    logship.setup({of.call()})
    app.wsgi_app = WSGIRequestLogMiddleware(app.wsgi_app)
    # Flask gives its logger a handler of its own only where nobody else has one; what it logs propagates to ours.
    app.logger.handlers = []
    # Werkzeug's development server writes a line for each request; ours says more.
    logging.getLogger("werkzeug").setLevel(logging.WARNING)


# Outgoing calls: logship.handler.integrations.requests.instrument(session) joins the callee's trace to this one.
'''


def django(of: Wired) -> str:
    """A fragment for settings.py."""
    return f'''"""Logging of {of.service}. In settings.py, at the end:

    from .logging_settings import LOGGING, with_request_log
    MIDDLEWARE = with_request_log(MIDDLEWARE)
"""

LOGGING = {_literal(_config(of, loggers={"django.server": {"handlers": [], "propagate": False}}))}


def with_request_log(middleware):
    """First of all, so that the time of every other one counts."""
    return ["logship.handler.integrations.django.RequestLogMiddleware", *middleware]
'''


def celery(of: Wired) -> str:
    """Signals of Celery."""
    return f'''"""Logging of {of.service}. Import it where the Celery application is made, also of who sends tasks.

    app = Celery("shop", broker=...)
    import logging_celery
"""

import logship
from celery.signals import setup_logging
from logship.handler.integrations import celery as task_records


@setup_logging.connect(weak=False)
def configure(**_):
    """Celery asks this instead of taking the root logger over."""
    logship.setup({of.call()})


# One record for each task, in the trace of the request that sent it.
task_records.instrument()
'''


def gunicorn(of: Wired) -> str:
    """gunicorn.conf.py."""
    loggers = {
        "gunicorn.error": {"level": "INFO", "handlers": [], "propagate": True},
        # The application's own request records say more than the access log.
        "gunicorn.access": {"level": "WARNING", "handlers": [], "propagate": True},
    }
    return f'''"""gunicorn of {of.service}: the server's records and the application's go to CloudWatch Logs.

    gunicorn -c gunicorn.conf.py app:app

Workers are forked; each has a queue and a log stream of its own, with --preload, too.
"""

logconfig_dict = {_literal(_config(of, loggers=loggers))}
'''


def structlog(of: Wired) -> str:
    """Structlog through logging, its event dictionary as fields."""
    return f'''"""Logging of {of.service}: structlog's events become fields of records in CloudWatch Logs."""

import logging

import logship
import structlog


def _to_logging(logger, method, event):
    """The event is the message, everything else a field; logging's own arguments stay what they are."""
    text = event.pop("event", "")
    own = {{name: event.pop(name) for name in ("exc_info", "stack_info", "stacklevel") if name in event}}
    return {{"msg": text, "extra": event, **own}}


def configure():
    """Call this once, before the first event."""
    logship.setup({of.call()})
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            _to_logging,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
'''


def loguru(of: Wired) -> str:
    """A sink that hands loguru's records to logging."""
    return f'''"""Logging of {of.service}: loguru's records go on through logging to CloudWatch Logs."""

import logging

import logship
from loguru import logger


def _to_logging(message):
    """One record, with its own time, place, exception and bound fields."""
    told = message.record
    error = told["exception"]
    record = logging.LogRecord(
        told["name"] or "loguru", told["level"].no, told["file"].path, told["line"], told["message"], None,
        (error.type, error.value, error.traceback) if error else None, told["function"],
    )
    record.created = told["time"].timestamp()
    record.__dict__.update({{name: value for name, value in told["extra"].items() if name not in record.__dict__}})
    logging.getLogger(record.name).handle(record)


def configure():
    """Call this once, before the first record."""
    logship.setup({of.call()})
    logger.remove()
    # No queue of loguru's: logship never waits, and loguru's would not survive the process.
    logger.add(_to_logging, format="{{message}}", enqueue=False)
'''


def aws_lambda(of: Wired) -> str:
    """A decorator for the handler."""
    return f'''"""Logging of {of.service} in AWS Lambda: records to {of.group}, delivered before each invocation ends.

    from logging_lambda import log_invocations

    @log_invocations
    def handler(event, context):
        ...
"""

import logging

import logship
from logship.handler.integrations.aws_lambda import log_invocations

__all__ = ["log_invocations"]

# Lambda's own handler prints to a second log group; without it each record is stored once.
logging.getLogger().handlers.clear()
# The function's file system goes with it, so the queue is kept in memory and flushed at the end of each invocation.
logship.setup({of.call()}, spool=None)
'''


def script(of: Wired) -> str:
    """A function for the first cell or line."""
    return f'''"""Logging of {of.service}: for scripts, jobs and notebooks.

    import logging_script
    logging_script.configure()
"""

import logging
import sys

import logship


def configure():
    """Call it once or, in a notebook, as often as its cell runs."""
    handler = logship.setup({of.call()})
    root = logging.getLogger()
    if not any(type(other) is logging.StreamHandler for other in root.handlers):
        root.addHandler(logging.StreamHandler(sys.stderr))  # whoever runs it sees it, too
    return handler
'''


def _config(of: Wired, loggers: dict[str, Any] | None = None) -> dict[str, Any]:
    config: dict[str, Any] = {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"cloudwatch": {"class": "logship.handler.CloudWatchHandler", **of.options()}},
        "root": {"level": "INFO", "handlers": ["cloudwatch"]},
    }
    return config | ({"loggers": loggers} if loggers else {})


def _literal(value: Any, indent: int = 0) -> str:
    """Python's own notation, one entry a line, as a formatter would have it."""
    if isinstance(value, dict) and value:
        inner = "".join(
            f"{' ' * (indent + 4)}{json.dumps(name)}: {_literal(item, indent + 4)},\n" for name, item in value.items()
        )
        return "{\n" + inner + " " * indent + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_literal(item) for item in value) + "]"
    return json.dumps(value) if isinstance(value, str) else repr(value)


def _yaml(value: dict[str, Any], indent: int) -> list[str]:
    lines = []
    for name, item in value.items():
        head = f"{' ' * indent}{name}:"
        if isinstance(item, dict):
            lines += [head, *_yaml(item, indent + 2)]
        else:
            lines.append(f"{head} {json.dumps(item)}")  # scalars and lists of JSON are YAML
    return lines
