"""The handler against LocalCloudWatch, in this process and in processes that end in every way."""

from __future__ import annotations

import json
import logging
import logging.config
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from logship.errors import SettingsError
from logship.handler import CloudWatchHandler
from logship.testing import Faults, LocalCloudWatch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GROUP = "/shop/orders"


@pytest.fixture
def cloudwatch(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalCloudWatch]:
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    with LocalCloudWatch() as running:
        yield running


def environment() -> dict[str, str]:
    return {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    made = logging.getLogger("orders.api")
    made.setLevel(logging.INFO)
    yield made
    for handler in list(made.handlers):
        made.removeHandler(handler)
        handler.close()


def lines(cloudwatch: LocalCloudWatch, group: str = GROUP) -> list[dict[str, Any]]:
    return [json.loads(event.message) for event in cloudwatch.events(group)]


def bodies(cloudwatch: LocalCloudWatch) -> Counter[str]:
    """How often each body arrived, counting a line that was sent twice once."""
    return Counter({line["logship.id"]: line["body"] for line in lines(cloudwatch)}.values())


def numbered(count: int) -> Counter[str]:
    return Counter(f"record {number}" for number in range(count))


def test_records_arrive_in_order_in_a_group_made_on_the_way(
    cloudwatch: LocalCloudWatch, logger: logging.Logger
) -> None:
    """Group, retention and stream are created with the first batch; records arrive whole and in order."""
    handler = CloudWatchHandler(GROUP, endpoint_url=cloudwatch.url, log_group_retention_days=14)
    logger.addHandler(handler)
    for number in range(25_000):
        logger.info("record %d", number)

    assert handler.flush()
    assert [line["body"] for line in lines(cloudwatch)] == [f"record {number}" for number in range(25_000)]
    assert (handler.stats.sent, handler.stats.queued, handler.stats.dropped) == (25_000, 0, 0)
    (group,) = cloudwatch.client().describe_log_groups()["logGroups"]
    assert group["retentionInDays"] == 14


@pytest.mark.parametrize(
    "fault", ["throttle_rate", "error_500_rate", "error_503_rate", "reset_rate", "lost_answer_rate"]
)
def test_faults_lose_nothing(cloudwatch: LocalCloudWatch, logger: logging.Logger, fault: str) -> None:
    """Throttling, server errors, resets, lost answers: each record arrives, and a resend keeps its id."""
    cloudwatch.faults = Faults(operations=frozenset({"PutLogEvents"}))
    setattr(cloudwatch.faults, fault, 0.5)
    handler = CloudWatchHandler(GROUP, endpoint_url=cloudwatch.url, max_batch_count=50)
    logger.addHandler(handler)
    for number in range(1000):
        logger.info("record %d", number)

    assert handler.flush(60)
    assert bodies(cloudwatch) == numbered(1000)
    assert handler.stats.retried > 0


def test_an_outage_is_waited_out(cloudwatch: LocalCloudWatch, logger: logging.Logger) -> None:
    """Records of an outage wait in memory and arrive when it is over."""
    cloudwatch.faults = Faults(error_503_rate=1.0)
    handler = CloudWatchHandler(GROUP, endpoint_url=cloudwatch.url, send_interval=0.01)
    logger.addHandler(handler)
    for number in range(100):
        logger.info("record %d", number)
    deadline = time.monotonic() + 30  # the first try comes after the sender has loaded the AWS SDK
    while not handler.stats.retried and time.monotonic() < deadline:
        assert not handler.flush(0.1)
    assert (handler.stats.queued, "ServiceUnavailable" in handler.stats.last_error) == (100, True)
    cloudwatch.faults = Faults()

    assert handler.flush()
    assert bodies(cloudwatch) == numbered(100)
    assert handler.stats.last_error == ""


def test_memory_is_bounded_and_losses_are_counted(
    cloudwatch: LocalCloudWatch, logger: logging.Logger, capfd: pytest.CaptureFixture[str]
) -> None:
    """While nothing gets through the queue stays within its bytes; what is dropped is counted and said on stderr."""
    cloudwatch.faults = Faults(error_503_rate=1.0)
    handler = CloudWatchHandler(GROUP, endpoint_url=cloudwatch.url, queue_bytes=100_000)
    logger.addHandler(handler)
    for number in range(5000):
        logger.info("record %d", number)
    stats = handler.stats

    assert handler._delivery.backlog.size_bytes <= 100_000
    assert (stats.queued + stats.dropped, stats.dropped > 3000) == (5000, True)
    assert "logship: /shop/orders: " in capfd.readouterr().err
    cloudwatch.faults = Faults()
    assert handler.flush()
    assert handler.stats.sent == len(lines(cloudwatch)) == 5000 - stats.dropped


def test_rejected_events_are_counted(cloudwatch: LocalCloudWatch, logger: logging.Logger) -> None:
    """Records that are too old or too far ahead are refused and counted; the others are kept."""
    handler = CloudWatchHandler(GROUP, endpoint_url=cloudwatch.url)
    logger.addHandler(handler)
    for days in (-20, 0, -15, 1, 0):
        made = logger.makeRecord(logger.name, logging.INFO, "", 0, "record %d", (days,), None)
        made.created += days * 86400
        logger.handle(made)

    assert handler.flush()
    assert (handler.stats.rejected, handler.stats.sent) == (3, 2)
    assert [line["body"] for line in lines(cloudwatch)] == ["record 0", "record 0"]


def test_an_oversize_record_arrives_in_pieces(cloudwatch: LocalCloudWatch, logger: logging.Logger) -> None:
    """Three megabytes are sent whole, in marked pieces that count as one record."""
    handler = CloudWatchHandler(GROUP, endpoint_url=cloudwatch.url)
    logger.addHandler(handler)
    logger.info("ä" * 1_500_000)

    assert handler.flush()
    parts = lines(cloudwatch)
    assert "".join(part["body"] for part in parts) == "ä" * 1_500_000
    assert [part["logship.part"] for part in parts] == ["1/3", "2/3", "3/3"]
    assert handler.stats.sent == 1


def test_debug_on_the_root_logger_does_not_feed_itself(cloudwatch: LocalCloudWatch) -> None:
    """Records that the sender's own calls make are not sent; two handlers do not feed each other either."""
    root = logging.getLogger()
    level = root.level
    handlers = [CloudWatchHandler(group, endpoint_url=cloudwatch.url) for group in (GROUP, "/shop/other")]
    root.setLevel(logging.DEBUG)
    try:
        for handler in handlers:
            root.addHandler(handler)
        logging.getLogger("app").debug("once")
        for handler in handlers * 2:
            assert handler.flush()
        sent = [[line["logger"] for line in lines(cloudwatch, group)] for group in (GROUP, "/shop/other")]
    finally:
        root.setLevel(level)
        for handler in handlers:
            root.removeHandler(handler)
            handler.close()

    assert [[name for name in names if name.split(".")[0] in ("botocore", "urllib3", "boto3")] for names in sent] == [
        [],
        [],
    ]
    assert all("app" in names for names in sent)


def test_dictconfig_twice_neither_hangs_nor_loses(cloudwatch: LocalCloudWatch) -> None:
    """Configuring again closes the first handler under logging's lock: at once, and its records still arrive."""
    config = {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {
            "cw": {"()": "logship.handler.CloudWatchHandler", "log_group_name": GROUP, "endpoint_url": cloudwatch.url}
        },
        "loggers": {"twice": {"handlers": ["cw"], "level": "INFO"}},
    }
    logger = logging.getLogger("twice")
    logging.config.dictConfig(config)
    logger.info("record 0")
    started = time.monotonic()
    logging.config.dictConfig(config)
    assert time.monotonic() - started < 2
    logger.info("record 1")
    (second,) = logger.handlers
    second.flush()
    second.close()
    logger.handlers.clear()
    deadline = time.monotonic() + 20
    while bodies(cloudwatch) != numbered(2) and time.monotonic() < deadline:
        threading.Event().wait(0.02)

    assert bodies(cloudwatch) == numbered(2)


def test_a_forked_child_sends_its_own(cloudwatch: LocalCloudWatch) -> None:
    """After a fork the parent's records are sent once, by the parent, and the child's in a stream of its own."""
    code = """
import logging, os, sys
from logship.handler import CloudWatchHandler
handler = CloudWatchHandler("/shop/orders", endpoint_url=sys.argv[1])
log = logging.getLogger("app"); log.setLevel(20); log.addHandler(handler)
log.info("warm"); handler.flush()
log.info("of the parent, before")
pid = os.fork()
log.info("of the %s", "parent" if pid else "child")
if pid:
    os.waitpid(pid, 0)
"""
    run(code, cloudwatch.url)

    assert bodies(cloudwatch) == Counter(["warm", "of the parent, before", "of the parent", "of the child"])
    assert len({event.stream for event in cloudwatch.events(GROUP)}) == 2


def test_a_multiprocessing_child_flushes(cloudwatch: LocalCloudWatch) -> None:
    """A multiprocessing child ends with os._exit, yet its records arrive."""
    code = """
import logging, multiprocessing, sys
from logship.handler import CloudWatchHandler
handler = CloudWatchHandler("/shop/orders", endpoint_url=sys.argv[1])
log = logging.getLogger("app"); log.setLevel(20); log.addHandler(handler)
def work():
    log.info("of the child")
if __name__ == "__main__":
    child = multiprocessing.get_context("fork").Process(target=work)
    child.start(); child.join()
"""
    run(code, cloudwatch.url)

    assert bodies(cloudwatch) == Counter(["of the child"])


SCRIPT = """
import logging, signal, sys, time
from logship.handler import CloudWatchHandler
if "own" in sys.argv:
    signal.signal(signal.SIGTERM, lambda *_: (log.info("going"), sys.exit(7)))
handler = CloudWatchHandler("/shop/orders", endpoint_url=sys.argv[1])
log = logging.getLogger("app"); log.setLevel(20); log.addHandler(handler)
for number in range(10_000):
    log.info("record %d", number)
    if number == 9_000 and "exit" not in sys.argv:
        print("ready", flush=True)
if "exit" not in sys.argv:
    print("done", flush=True)
    for _ in range(600):  # short ones, since a signal that arrives just before a sleep does not end it
        time.sleep(0.1)
"""


def run(code: str, *arguments: str) -> None:
    subprocess.run(
        [sys.executable, "-c", code, *arguments], env={**os.environ, **environment()}, check=True, timeout=60
    )


def test_the_interpreters_exit_loses_nothing(cloudwatch: LocalCloudWatch) -> None:
    """A script that logs and ends delivers everything, though its first batch was never due."""
    run(SCRIPT, cloudwatch.url, "exit")

    assert bodies(cloudwatch) == numbered(10_000)


@pytest.mark.parametrize(("own", "code"), [("default", -signal.SIGTERM), ("own", 7)])
def test_sigterm_in_a_burst_loses_nothing(cloudwatch: LocalCloudWatch, own: str, code: int) -> None:
    """Every record logged before SIGTERM arrives; then the application's handler runs, or the default action."""
    command = [sys.executable, "-c", SCRIPT, cloudwatch.url, own]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, **environment()}) as process:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        assert process.stdout.readline() == b"done\n"
        process.terminate()

        assert process.wait(30) == code
    assert bodies(cloudwatch) == numbered(10_000) + Counter(["going"] if own == "own" else [])


def test_sigterm_amid_the_burst_loses_nothing(cloudwatch: LocalCloudWatch) -> None:
    """The signal interrupts `emit` itself: what arrived is an unbroken beginning of what was logged."""
    command = [sys.executable, "-c", SCRIPT, cloudwatch.url, "amid"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, **environment()}) as process:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        process.terminate()

        assert process.wait(30) == -signal.SIGTERM
    arrived = bodies(cloudwatch)
    assert len(arrived) >= 9_000
    assert arrived == numbered(len(arrived))


def test_without_queues_a_record_has_arrived_when_emit_returns(
    cloudwatch: LocalCloudWatch, logger: logging.Logger
) -> None:
    """use_queues=False delivers each record before going on."""
    logger.addHandler(CloudWatchHandler(GROUP, endpoint_url=cloudwatch.url, use_queues=False))
    logger.info("record 0")

    assert bodies(cloudwatch) == numbered(1)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"redact": "late"}, "True, False, emit"),
        ({"overflow": "panic"}, "drop_new, drop_oldest, block"),
        ({"log_group_name": "no spaces"}, "log_group_name='no spaces'"),
        ({"log_stream_name": "{logger_name}:{pid}"}, "other than : and *"),
        ({"log_stream_name": "{nope}"}, "{machine_name}"),
        ({"log_group_retention_days": 2}, "CloudWatch takes 1, 3, 5"),
        ({"max_batch_count": 10_001}, "use 1 to 10000"),
        ({"boto3_client": object(), "region_name": "eu-west-1"}, "leave the others out"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(options: dict[str, Any], said: str) -> None:
    """A wrong parameter is said in the constructor, with the remedy."""
    with pytest.raises(SettingsError) as caught:
        CloudWatchHandler(**options)

    assert said in str(caught.value)


def test_a_group_is_made_with_all_that_was_asked_for(cloudwatch: LocalCloudWatch, logger: logging.Logger) -> None:
    """Retention, tags, key and class, when the first batch is sent."""
    key = "arn:aws:kms:eu-west-1:123456789012:key/1"
    logger.addHandler(
        CloudWatchHandler(
            GROUP, endpoint_url=cloudwatch.url, log_group_retention_days=30, log_group_tags={"team": "shop"},
            log_group_kms_key_id=key, log_group_class="INFREQUENT_ACCESS",
        )
    )  # fmt: skip
    logger.info("record 0")
    logger.handlers[0].flush()
    client = cloudwatch.client()
    [group] = client.describe_log_groups(logGroupNamePrefix=GROUP)["logGroups"]
    tags = client.list_tags_for_resource(resourceArn=group["logGroupArn"])["tags"]

    assert (group["retentionInDays"], group["kmsKeyId"], group["logGroupClass"], tags) == (
        30, key, "INFREQUENT_ACCESS", {"team": "shop"},
    )  # fmt: skip


def test_fifty_loggers_and_eight_threads_share_one_sender(cloudwatch: LocalCloudWatch) -> None:
    """One thread sends for all, and the records of each thread keep their order."""
    handler = CloudWatchHandler(GROUP, endpoint_url=cloudwatch.url)
    loggers = [logging.getLogger(f"many.{number}") for number in range(50)]
    for one in loggers:
        one.handlers, one.propagate = [handler], False
        one.setLevel(logging.INFO)

    def work(thread: int) -> None:
        for number in range(500):
            loggers[number % 50].info("%d/%d", thread, number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    senders = [one for one in threading.enumerate() if one.name == "logship-sender"]
    handler.flush()
    arrived = [line["body"].split("/") for line in lines(cloudwatch)]
    handler.close()

    assert len(senders) == 1
    for name in map(str, range(8)):
        assert [int(number) for one, number in arrived if one == name] == list(range(500))


def test_each_logger_may_have_a_stream_of_its_own(cloudwatch: LocalCloudWatch) -> None:
    """As with watchtower's pattern, but one thread sends for all; an oversize record's pieces stay together."""
    handler = CloudWatchHandler(
        GROUP, "{logger_name}/{thread_name}", endpoint_url=cloudwatch.url, max_message_size=8_192, dedupe=60
    )
    for name in ("shop.api", "shop.db", "odd:name*"):
        one = logging.getLogger(name)
        one.handlers, one.propagate = [handler], False
        one.setLevel(logging.INFO)
        for number in range(300):
            one.info(f"record {number}")
        one.info("x" * 10_000)
        for _ in range(3):
            one.info("again and again")
    senders = [thread for thread in threading.enumerate() if thread.name == "logship-sender"]
    handler.close()
    streams: dict[str, list[str]] = {}
    for event in cloudwatch.events(GROUP):
        streams.setdefault(event.stream, []).append(json.loads(event.message)["body"])

    assert len(senders) == 1
    assert sorted(streams) == ["odd-name-/MainThread", "shop.api/MainThread", "shop.db/MainThread"]
    for texts in streams.values():
        assert texts[:300] == list(numbered(300))
        assert "".join(texts[300:-2]) == "x" * 10_000
        assert texts[-2:] == ["again and again"] * 2


def test_what_a_dead_process_left_goes_to_its_own_streams(cloudwatch: LocalCloudWatch, tmp_path: Path) -> None:
    """The queue's files name the stream of each line that has one of its own."""
    script = f"""
import logging, os, sys
from logship.handler import CloudWatchHandler
handler = CloudWatchHandler("{GROUP}", "dead/{{logger_name}}", endpoint_url="http://127.0.0.1:9", spool=sys.argv[1])
for name in ("a", "b"):
    logging.getLogger(name).addHandler(handler)
    logging.getLogger(name).error("from %s", name)
os._exit(0)
"""
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True, env=environment())
    handler = CloudWatchHandler(GROUP, "living", endpoint_url=cloudwatch.url, spool=tmp_path)
    handler.flush()
    handler.close()

    assert {event.stream: json.loads(event.message)["body"] for event in cloudwatch.events(GROUP)} == {
        "dead/a": "from a",
        "dead/b": "from b",
    }


def test_watchtowers_parameters_mean_the_same() -> None:
    """Every parameter of its constructor is one of ours, the positional ones in its order."""
    import inspect

    from watchtower import CloudWatchLogHandler

    theirs = list(inspect.signature(CloudWatchLogHandler.__init__).parameters)
    ours = list(inspect.signature(CloudWatchHandler.__init__).parameters)
    named = theirs[: theirs.index("args")]

    assert ours[: len(named)] == named


@pytest.mark.parametrize("created", ["yesterday", None, float("nan"), 1e300])
def test_a_record_without_a_usable_time_is_sent_as_of_now(
    cloudwatch: LocalCloudWatch, logger: logging.Logger, created: Any
) -> None:
    """Records that come from elsewhere, such as over a socket, may hold anything."""
    handler = CloudWatchHandler(GROUP, endpoint_url=cloudwatch.url)
    logger.addHandler(handler)
    logger.handle(logging.makeLogRecord({"name": "x", "levelno": 20, "msg": "it happened", "created": created}))
    handler.flush()
    [event] = cloudwatch.events(GROUP)

    assert json.loads(event.message)["body"] == "it happened"
    assert abs(event.timestamp_ms - time.time() * 1000) < 60_000
