"""The traps that the agent accepts without a word: one function each, named as its rule."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING, Any, Final

from logship.agent import timestamps
from logship.agent.findings import Finding, Severity
from logship.agent.lint.entries import Entry, entries
from logship.agent.options import AGENT as AGENT_OPTIONS
from logship.agent.options import LOG_CLASSES, MORE_AGENT_KEYS, MORE_ROOT_KEYS
from logship.agent.patterns import complaint
from logship.naming import GROUP_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator

PLACEHOLDERS: Final = (
    "{instance_id}", "{hostname}", "{local_hostname}", "{ip_address}", "{aws_region}", "{account_id}", "{date}",
)  # fmt: skip
_PLACEHOLDER: Final = re.compile(r"(?<!\$)\{[^{}]*\}")
_VARIABLE: Final = re.compile(r"\$\{[^{}]*\}")
COMPRESSED: Final = (".gz", ".zip", ".bz2", ".tar", ".zst", ".tgz", ".xz", ".lz4", ".7z", ".rar", ".z")
_WILD: Final = re.compile(r"[*?\[{]")
_DATED: Final = frozenset({"%d", "%-d"})
# WHATWG's names that Python's codecs do not have.
_ENCODINGS: Final = frozenset({
    "x-user-defined", "x-mac-cyrillic", "macintosh", "x-mac-roman", "windows-874", "dos-874", "iso-8859-8-i",
    "iso-8859-8-e", "x-gbk", "x-sjis", "x-x-big5", "x-euc-jp", "unicode-1-1-utf-8", "unicode11utf8", "unicode20utf8",
    "x-unicode20utf8", "x-cp1250", "x-cp1251", "x-cp1252", "x-cp1253", "x-cp1254", "x-cp1255", "x-cp1256", "x-cp1257",
    "x-cp1258", "replacement", "utf-16fffe", "unicodefeff", "unicodefffe", "csunicode", "ucs-2", "unicode", "cn-big5",
    "csiso58gb231280", "iso-ir-58", "gb_2312", "gb_2312-80", "ks_c_5601-1989", "korean", "csksc56011987", "windows-949",
    "windows-31j", "ms_kanji", "ms932", "sun_eu_greek", "logical", "visual", "csiso88596e", "csiso88596i",
    "csiso88598e", "csiso88598i", "iso-8859-6-e", "iso-8859-6-i", "hz-gb-2312", "iso-2022-cn", "iso-2022-kr",
})  # fmt: skip


def _finding(path: str, rule: str, severity: Severity, message: str, fix: str, **more: Any) -> Finding:
    return Finding(path=path, rule=rule, severity=severity, message=message, fix=fix, **more)


def _files(config: Any) -> Iterator[Entry]:
    return (entry for entry in entries(config) if entry.source in ("files", "otel_files"))


def timestamp_format(config: Any) -> Iterator[Finding]:
    """Directives that the agent does not know, or reads otherwise than people expect."""
    for entry in _files(config):
        found, path = entry.text("timestamp_format"), f"{entry.path}/timestamp_format"
        if found:
            yield from _directives(found, path)
            yield from _format_as_a_whole(found, path, entry)


_MEANT: Final = {
    "%F": "%Y-%m-%d", "%T": "%H:%M:%S", "%D": "%m/%d/%y", "%R": "%H:%M", "%e": "%d", "%L": "%f", "%k": "%H",
    "%l": "%-I", "%n": "", "%t": "", "%h": "%b", "%N": "%f",
}  # fmt: skip


def _directives(found: str, path: str) -> Iterator[Finding]:
    for one in dict.fromkeys(re.findall("%-?[A-Za-z0-9%]+?(?![a-z0-9]*N)|%[0-9]+[A-Za-z]", found)):
        if one in timestamps.REGEX or one == "%%":
            continue
        if one in ("%s", "%Q"):
            fix = "leave the format out: the forwarder reads epoch times by itself"
            message = f"{one} (epoch) is no directive of the agent, so no line has a time"
            yield _finding(path, "timestamp-directive", "warning", message, fix)
            continue
        meant = _MEANT.get(one) or _MEANT.get("%" + one[-1])
        fix = f"write {meant} instead" if meant else f"known are {' '.join(timestamps.REGEX)}"
        message = f"{one} is no directive of the agent but literal text, so no line has a time"
        yield _finding(path, "timestamp-directive", "warning", message, fix)
    known = set(timestamps.directives(found))
    if "%B" in known:
        yield _finding(path, "timestamp-month", "warning",
                       "%B matches names of seven letters only, which are January and October",
                       "use %b where months are short; else leave the format out")  # fmt: skip
    if "%Z" in known:
        yield _finding(path, "timestamp-zone", "warning",
                       "%Z matches three letters, and a name that the host does not know is read as UTC",
                       "set timezone to UTC or Local, and let the format end before the zone")  # fmt: skip
    if known & {"%I", "%-I"} and "%p" not in known:
        yield _finding(path, "timestamp-12-hours", "warning",
                       "%I without %p: lines of the afternoon get a time in the morning",
                       "add %p, or use %H where hours go to 23")  # fmt: skip


def _format_as_a_whole(found: str, path: str, entry: Entry) -> Iterator[Finding]:
    known = set(timestamps.directives(found))
    if not known & set(timestamps.REGEX):
        if not re.search("%", found):
            message = "the format has no directive, so no line has a time"
            yield _finding(path, "timestamp-directive", "warning", message, "describe the time: %Y-%m-%d %H:%M:%S")
        return
    if not known & _DATED or not known & {"%m", "%-m", "%b", "%B"}:
        yield _finding(path, "timestamp-no-date", "warning",
                       "the format has no day and month: the agent takes 1 January, and CloudWatch drops what is older "
                       "than 14 days", "add the date, or leave the format out")  # fmt: skip
    try:
        timestamps.pattern_of(found)
    except timestamps.FormatError as error:
        yield _finding(path, "timestamp-regex", "error", f"the agent cannot compile the format: {error}",
                       "write what is no directive without backslashes")  # fmt: skip
    zone = entry.text("timezone")
    if re.search(r"(?<!%)Z$|(?:%S|%f)Z", found) and zone != "UTC":
        yield _finding(path, "timestamp-literal-z", "warning",
                       "a literal Z says UTC to people, and the agent reads the time in the zone of the host",
                       'set "timezone": "UTC"')  # fmt: skip
    if re.search(r"(?:%S|%f)[+-]\d\d:?\d\d", found) and not re.search(r"[+-]00:?00", found):
        yield _finding(path, "timestamp-literal-offset", "warning",
                       "a literal offset is not applied: the agent reads the time in its timezone",
                       "use %z where offsets have no colon, else set timezone")  # fmt: skip


def multi_line(config: Any) -> Iterator[Finding]:
    """Patterns that match no line, so that all lines become one event."""
    for entry in _files(config):
        found, path = entry.text("multi_line_start_pattern"), f"{entry.path}/multi_line_start_pattern"
        if not found:
            continue
        if found == "{timestamp_format}":
            if not entry.text("timestamp_format"):
                message = "{timestamp_format} needs a timestamp_format; without one all lines become one event"
                yield _finding(path, "multi-line-placeholder", "warning", message, "add timestamp_format")
        elif re.fullmatch(r"\{\s*[A-Za-z_ -]+\s*\}", found):
            yield _finding(path, "multi-line-placeholder", "warning",
                           f"{found} is no placeholder but a pattern that matches no line: all lines become one event",
                           "write {timestamp_format}", value="{timestamp_format}")  # fmt: skip
        elif "{timestamp_format}" in found or "{timestamp_regex}" in found:
            yield _finding(path, "multi-line-placeholder", "warning",
                           "{timestamp_format} is put in only where it is the whole pattern, here it matches no line",
                           'write "{timestamp_format}" alone')  # fmt: skip
        elif why := complaint(found):
            yield _finding(path, "regex", "error", f"RE2 refuses {found!r}: {why}; the agent ends when it starts",
                           _without_perl(found))  # fmt: skip


def filters(config: Any) -> Iterator[Finding]:
    """Filters without their half, and patterns of another engine."""
    for entry in entries(config):
        found = entry.value.get("filters")
        for number, one in enumerate(found if isinstance(found, list) else ()):
            path = f"{entry.path}/filters/{number}"
            if not isinstance(one, dict):
                continue
            for key in ("type", "expression"):
                if key not in one:
                    effect = "is dropped without a word" if entry.source == "journald" else "is refused at the start"
                    yield _finding(
                        path, "filter-incomplete", "error", f"a filter without {key!r} {effect}", f"add {key!r}"
                    )
            expression = one.get("expression")
            if isinstance(expression, str) and (why := complaint(expression)):
                yield _finding(f"{path}/expression", "regex", "error", f"RE2 refuses {expression!r}: {why}",
                               _without_perl(expression))  # fmt: skip


def _without_perl(pattern: str) -> str:
    if re.search(r"\(\?<?[=!]", pattern):
        return "RE2 has no lookahead or lookbehind; use an exclude filter beside an include filter"
    if re.search(r"\\[1-9]", pattern):
        return "RE2 has no backreferences; write the alternatives out"
    return "write it in RE2's syntax (github.com/google/re2/wiki/Syntax)"


def blacklist(config: Any) -> Iterator[Finding]:
    """Matched against the name of the file alone."""
    for entry in _files(config):
        found, path = entry.text("blacklist"), f"{entry.path}/blacklist"
        if not found:
            continue
        if why := complaint(found):
            message = f"RE2 refuses {found!r}: {why}; the agent ends when it starts"
            yield _finding(path, "regex", "error", message, _without_perl(found))
        elif "/" in found:
            yield _finding(path, "blacklist-path", "warning",
                           f"{found!r} holds a path, and is matched against the base name of the file alone",
                           "write a pattern of the file name")  # fmt: skip


def names(config: Any) -> Iterator[Finding]:
    """Groups and streams that CloudWatch refuses, and placeholders that stay literal text."""
    for entry in entries(config):
        group, stream = entry.text("log_group_name"), entry.text("log_stream_name")
        if group:
            yield from _group(group, f"{entry.path}/log_group_name")
        if stream:
            yield from _stream(stream, f"{entry.path}/log_stream_name")
    logs = config.get("logs")
    if isinstance(logs, dict) and isinstance(logs.get("log_stream_name"), str):
        yield from _stream(logs["log_stream_name"], "/logs/log_stream_name")


def _group(name: str, path: str) -> Iterator[Finding]:
    unknown = [one for one in _PLACEHOLDER.findall(name) if one not in PLACEHOLDERS]
    if unknown:
        yield _placeholder(
            unknown[0], path, "braces are no part of a group's name, so the group never appears", "error"
        )
        return
    plain = _VARIABLE.sub("x", _PLACEHOLDER.sub("x", name))
    if not GROUP_NAME.match(plain):
        wrong = sorted({sign for sign in plain if not GROUP_NAME.match(sign)})
        signs = " ".join(map(repr, wrong)) or "its length"
        yield _finding(path, "group-name", "error",
                       f"log_group_name {name!r} holds characters that CloudWatch refuses ({signs}): every batch is lost",
                       "use letters, digits and . - _ / #")  # fmt: skip
    elif name.startswith("aws/"):
        yield _finding(path, "group-reserved", "warning",
                       f"names that begin with aws/ are reserved, and {name!r} is retried for ever", "begin with / or a word")  # fmt: skip
    if "{date}" in name:
        yield _date(path)


def _stream(name: str, path: str) -> Iterator[Finding]:
    plain = _VARIABLE.sub("x", name)
    for sign in ":*":
        if sign in plain:
            yield _finding(path, "stream-name", "error",
                           f"log_stream_name {name!r} holds {sign!r}, which CloudWatch refuses: every batch is lost",
                           f"write - instead of {sign}")  # fmt: skip
    unknown = [one for one in _PLACEHOLDER.findall(name) if one not in PLACEHOLDERS]
    if unknown:
        yield _placeholder(unknown[0], path, "it stays as it is, and all hosts write the same stream", "warning")
    if "{date}" in name:
        yield _date(path)


def _placeholder(found: str, path: str, effect: str, severity: Severity) -> Finding:
    from difflib import get_close_matches

    near = get_close_matches(found, PLACEHOLDERS, 1)
    fix = f"did you mean {near[0]}?" if near else f"placeholders are {' '.join(PLACEHOLDERS)}"
    return _finding(path, "placeholder", severity, f"{found} is no placeholder of the agent: {effect}", fix)


def _date(path: str) -> Finding:
    return _finding(path, "date-placeholder", "hint",
                    "{date} is the day on which the agent starts, and does not change at midnight", "leave it out")  # fmt: skip


def file_paths(config: Any) -> Iterator[Finding]:
    """Wildcards that ship one file of many, files that are skipped, options that exclude each other."""
    for entry in entries(config):
        if entry.source != "files":
            continue
        path, published = entry.text("file_path"), entry.value.get("publish_multi_logs") is True
        if path and path.lower().endswith(COMPRESSED):
            yield _finding(f"{entry.path}/file_path", "compressed-file", "warning",
                           f"{path!r} is a compressed file, which the agent skips without a word", "name the file itself")  # fmt: skip
        if path and _WILD.search(path) and not published:
            yield _finding(f"{entry.path}/file_path", "wildcard", "warning",
                           f"{path!r} may match several files, and only the newest is read without publish_multi_logs",
                           'add "publish_multi_logs": true where all of them are wanted')  # fmt: skip
        if published and entry.value.get("auto_removal") is True:
            yield _finding(f"{entry.path}/auto_removal", "auto-removal", "warning",
                           "auto_removal does nothing together with publish_multi_logs", "delete one of the two")  # fmt: skip


def encoding(config: Any) -> Iterator[Finding]:
    """Names that the agent's library does not know."""
    for entry in _files(config):
        found = entry.text("encoding")
        if not found or found.lower() in _ENCODINGS:
            continue
        try:
            codecs.lookup(found)
        except (LookupError, ValueError):
            yield _finding(f"{entry.path}/encoding", "encoding", "error",
                           f"encoding {found!r} is unknown, and the agent does not start", "use a name such as utf-8 or gbk")  # fmt: skip


def retention(config: Any) -> Iterator[Finding]:
    """One group with two retentions or classes; the agent sees that within a list only."""
    for key, rule, text in (
        ("retention_in_days", "retention-conflict", "retentions"),
        ("log_group_class", "class-conflict", "classes"),
    ):
        first: dict[str, tuple[Any, Entry]] = {}
        for entry in entries(config):
            value, group = entry.value.get(key), entry.group
            wanted = _setting(key, value)
            if wanted is None or group is None:
                continue
            before = first.setdefault(group.lower(), (wanted, entry))
            if before[0] != wanted:
                yield _finding(f"{entry.path}/{key}", rule, "error",
                               f"log group {group!r} has two {text}: {value} here and {before[0]} at {before[1].path}",
                               "give all entries of the group the same")  # fmt: skip


def _setting(key: str, value: Any) -> Any:
    if key == "retention_in_days":
        return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
    return value.upper() if isinstance(value, str) and value.upper() in LOG_CLASSES else None


def log_class(config: Any) -> Iterator[Finding]:
    """Classes that are ignored."""
    for entry in entries(config):
        found, path = entry.text("log_group_class"), f"{entry.path}/log_group_class"
        if found is None:
            continue
        if entry.source == "journald":
            yield _finding(path, "journald-class", "warning",
                           "log_group_class is accepted for journald and never applied", "create the group with its class before")  # fmt: skip
        elif found.upper() not in LOG_CLASSES:
            yield _finding(path, "class-value", "warning",
                           f"log_group_class {found!r} is ignored", f"use {' or '.join(LOG_CLASSES)}")  # fmt: skip


def shared_stream(config: Any) -> Iterator[Finding]:
    """Two files into one stream: they share a queue, and undated lines of one take the other's time."""
    first: dict[tuple[str, str], Entry] = {}
    for entry in entries(config):
        group, stream = entry.text("log_group_name"), entry.stream
        if entry.source != "files" or not group or entry.value.get("publish_multi_logs") is True:
            continue
        if stream is None:
            continue
        before = first.setdefault((group.lower(), stream), entry)
        if before is not entry and before.value != entry.value:
            yield _finding(f"{entry.path}/log_stream_name", "shared-stream", "warning",
                           f"the stream {stream!r} of {group!r} is written by {before.path} too: undated lines of one file "
                           "take the time of the other", "give each file a stream or a group of its own")  # fmt: skip


def open_sections(config: Any) -> Iterator[Finding]:
    """Keys of the sections that take any key: a typo there collects nothing."""
    known = {"agent", "metrics", "logs", "traces", "opentelemetry"} | MORE_ROOT_KEYS
    yield from _typos(config, known, "", "the config")
    agent = config.get("agent")
    if isinstance(agent, dict):
        yield from _typos(agent, {*AGENT_OPTIONS.fields, *MORE_AGENT_KEYS}, "/agent", "agent")


def _typos(section: dict[str, Any], known: set[str], path: str, name: str) -> Iterator[Finding]:
    from difflib import get_close_matches

    for key in section:
        if key in known or key.startswith(("_", "$", "//")) or (not path and "comment" in key.lower()):
            continue
        near = get_close_matches(key, sorted(known), 1, 0.7)
        free = near[0] if near and near[0] not in section else ""
        if near or not path:
            fix = f"did you mean {near[0]!r}?" if near else f"sections are {', '.join(sorted(known))}"
            yield _finding(f"{path}/{key.replace('~', '~0').replace('/', '~1')}", "unknown-section" if not path else "agent-key",
                           "warning", f"{name} takes any key, so {key!r} is accepted and does nothing", fix, rename=free)  # fmt: skip


_SYSTEM_LOGS: Final = re.compile(r"/var/log/(?:messages|secure|auth\.log|syslog|audit/|cron|maillog|btmp|kern\.log)")


def permissions(config: Any) -> Iterator[Finding]:
    """Files that only root reads, by another account."""
    agent = config.get("agent")
    user = agent.get("run_as_user") if isinstance(agent, dict) else None
    if not isinstance(user, str) or user in ("root", ""):
        return
    for entry in _files(config):
        path = entry.text("file_path")
        if path and _SYSTEM_LOGS.match(path):
            yield _finding(f"{entry.path}/file_path", "permission", "hint",
                           f"{path!r} is readable by root, and the agent runs as {user!r}: unreadable files are skipped silently",
                           f"add {user} to the group that reads it (adm), or set an ACL")  # fmt: skip


RULES: Final = (
    timestamp_format, multi_line, filters, blacklist, names, file_paths, encoding, retention, log_class, shared_stream,
    open_sections, permissions,
)  # fmt: skip
