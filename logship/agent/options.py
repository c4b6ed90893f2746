"""Every option of the CloudWatch Agent: one table, from its public documentation.

Source: "Manually create or edit the CloudWatch agent configuration file", Amazon CloudWatch user guide, and the
agent's release notes up to `VERSION`.
"""

from __future__ import annotations

from typing import Final

from logship.agent.kinds import Anything, Either, Flag, Group, Items, Kind, Text, Whole

VERSION: Final = "1.300071"
"""Of the agent that the table describes; a later one may know more."""
SINCE: Final = {"/logs/logs_collected/journald": "1.300070", "/opentelemetry": "1.300070"}
"""JSON pointer → the first version that knows it."""
RETENTION_DAYS: Final = (
    -1, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
)  # fmt: skip
LOG_CLASSES: Final = ("STANDARD", "INFREQUENT_ACCESS")
EVENT_LEVELS: Final = ("CRITICAL", "ERROR", "WARNING", "INFORMATION", "VERBOSE")
PRIORITIES: Final = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug", *"01234567")

ANY: Final = Anything()
ANY_TEXT: Final = Text()
FLAG: Final = Flag()
SECONDS: Final = Whole(least=1, most=172_800)
SECONDS_OR_NONE: Final = Whole(least=0, most=172_800)
SHORT: Final = Text(least=1, most=255)
PATH: Final = Text(least=1, most=4096)
NAME: Final = Text(least=1, most=512)
ENDPOINT: Final = Text(least=4, most=2048)
SERVICE: Final[dict[str, Kind]] = {"service.name": SHORT, "deployment.environment": Text(least=1, most=259)}
LONG_SERVICE: Final[dict[str, Kind]] = {"service.name": PATH, "deployment.environment": PATH}
CREDENTIALS: Final = Group({"role_arn": Text(least=20, most=2048, variable=True)})
DIMENSIONS: Final = Group(others=Text(least=1, most=1024), most=30)
TLS: Final = Group({"ca_file": SHORT, "cert_file": SHORT, "key_file": SHORT, "insecure": FLAG}, ANY)

# metrics

_METRIC: Final = Group({"name": SHORT, "rename": SHORT, "unit": Text(least=1, most=256)}, ANY)
MEASUREMENT: Final = Items(Either((SHORT, _METRIC)), unique=True)
_BASIC: Final[dict[str, Kind]] = {
    "metrics_collection_interval": SECONDS,
    "append_dimensions": DIMENSIONS,
    "measurement": MEASUREMENT,
}
_RESOURCES: Final[dict[str, Kind]] = {"resources": Items(PATH, most=256)}
_DROPPED: Final[dict[str, Kind]] = {"drop_original_metrics": Items(ANY_TEXT, least=1, unique=True)}


def _plugin(more: dict[str, Kind] | None = None) -> Group:
    return Group({**_BASIC, **(more or {})}, ANY, ("measurement",))


_OTLP_OBJECT: Final = Group({"grpc_endpoint": ENDPOINT, "http_endpoint": ENDPOINT, "tls": TLS, **SERVICE})
OTLP: Final = Either((_OTLP_OBJECT, Items(_OTLP_OBJECT, 1, 255)))
_JMX_TARGET: Final = Group({"measurement": MEASUREMENT}, ANY, ("measurement",))
_JMX_TARGETS: Final = ("jvm", "kafka", "kafka-consumer", "kafka-producer", "tomcat")
_JMX_OBJECT: Final = Group(
    {
        "endpoint": ENDPOINT, "metrics_collection_interval": SECONDS, "username": ANY_TEXT, "password_file": ANY_TEXT,
        "keystore_path": ANY_TEXT, "keystore_type": ANY_TEXT, "truststore_path": ANY_TEXT, "truststore_type": ANY_TEXT,
        "registry_ssl_enabled": FLAG, "remote_profile": ANY_TEXT, "realm": ANY_TEXT, "insecure": FLAG,
        "append_dimensions": DIMENSIONS, **dict.fromkeys(_JMX_TARGETS, _JMX_TARGET),
    },
    one_of=_JMX_TARGETS,
)  # fmt: skip
_PROCSTAT: Final = Group(
    {**_BASIC, "pid_file": SHORT, "exe": SHORT, "pattern": SHORT, "measurement": Items(SHORT, unique=True)},
    ANY,
    ("measurement",),
    ("pid_file", "exe", "pattern"),
)
_LISTENER: Final[dict[str, Kind]] = {
    "service_address": SHORT, "metrics_aggregation_interval": SECONDS_OR_NONE, **_DROPPED, **LONG_SERVICE,
}  # fmt: skip
METRIC_PLUGINS: Final[dict[str, Kind]] = {
    "cpu": _plugin({"resources": Items(Text(choices=("*",)), most=1), "totalcpu": FLAG}),
    "disk": _plugin({**_RESOURCES, "ignore_file_system_types": Items(PATH, most=256), "drop_device": FLAG}),
    "diskio": _plugin(_RESOURCES),
    "net": _plugin(_RESOURCES),
    "mem": _plugin(), "swap": _plugin(), "netstat": _plugin(), "processes": _plugin(),
    "efa": Group(
        {"metrics_collection_interval": SECONDS, "measurement": MEASUREMENT, **_DROPPED}, ANY, ("measurement",)
    ),
    "procstat": Items(_PROCSTAT, 1, 255),
    "statsd": Group({
        **_LISTENER, "allowed_pending_messages": Whole(least=1, most=2**31 - 1), "metrics_collection_interval": SECONDS,
        "metric_separator": SHORT,
    }),
    "collectd": Group({
        **_LISTENER, "name_prefix": SHORT, "collectd_auth_file": PATH,
        "collectd_security_level": Text(choices=("none", "sign", "encrypt")), "collectd_typesdb": Items(PATH, most=10),
        "append_dimensions": DIMENSIONS,
    }),
    "ethtool": Group({
        "interface_include": Items(SHORT), "interface_exclude": Items(SHORT), "metrics_include": Items(SHORT),
        "append_dimensions": DIMENSIONS, **_DROPPED,
    }),
    "nvidia_smi": Group({"measurement": Items(SHORT)}, ANY),
    "jmx": Either((_JMX_OBJECT, Items(_JMX_OBJECT, 1, 255))),
    "otlp": OTLP,
    "prometheus": Group({"prometheus_config_path": SHORT}, False, ("prometheus_config_path",)),
}  # fmt: skip
METRICS: Final = Group(
    {
        "namespace": SHORT,
        "aggregation_dimensions": Items(Items(Text(least=1, most=1024), most=30, unique=True), 1, 1024, unique=True),
        "append_dimensions": DIMENSIONS,
        "metrics_destinations": Group(
            {"cloudwatch": ANY, "amp": Group({"workspace_id": SHORT}, False, ("workspace_id",))}, least=1
        ),
        "metrics_collected": Group(METRIC_PLUGINS, _plugin(), least=1),
        "force_flush_interval": SECONDS,
        "credentials": CREDENTIALS,
        "endpoint_override": ENDPOINT,
        **LONG_SERVICE,
    },
    False,
    ("metrics_collected",),
)

# logs

FILTER: Final = Group({"type": Text(choices=("include", "exclude")), "expression": ANY_TEXT})
_GROUP: Final[dict[str, Kind]] = {
    "log_group_name": NAME,
    "log_stream_name": NAME,
    "log_group_class": NAME,
    "retention_in_days": Whole(choices=RETENTION_DAYS),
    "filters": Items(FILTER),
}
_DATED: Final[dict[str, Kind]] = {"timezone": Text(choices=("UTC", "Local", "LOCAL"))}
FILE: Final = Group(
    {
        "file_path": Text(most=4096), **_GROUP, **_DATED, "timestamp_format": PATH, "multi_line_start_pattern": PATH,
        "encoding": PATH, "trim_timestamp": FLAG, "auto_removal": FLAG, "publish_multi_logs": FLAG, "blacklist": PATH,
        "backpressure_mode": Text(choices=("fd_release",)), **SERVICE,
    },
    False,
    ("file_path",),
)  # fmt: skip
EVENTS: Final = Group(
    {
        "event_name": Text(least=1, most=255, refused=("Forwarded Events",)),
        "event_levels": Items(Text(choices=EVENT_LEVELS)),
        "event_ids": Items(Whole(least=0, most=65_535), 1, unique=True),
        "event_format": Text(choices=("text", "xml")),
        **_GROUP,
    },
    False,
    ("event_name",),
    ("event_levels", "event_ids", "filters"),
)
JOURNAL: Final = Group(
    {
        **_GROUP,
        "units": Items(Text(most=256), 1, unique=True),
        "priority": Text(choices=PRIORITIES),
        "matches": Items(Group(others=ANY_TEXT), 1, unique=True),
    },
    False,
    ("log_group_name",),
)


def _list_of(entry: Group) -> Group:
    return Group({"collect_list": Items(entry, 1, 16_384, unique=True)}, False, ("collect_list",))


_DISCOVERED: Final[dict[str, Kind]] = dict.fromkeys(
    ("sd_container_name_pattern", "sd_job_name", "sd_metrics_path", "sd_metrics_ports"), ANY_TEXT
)
_ECS_DISCOVERY: Final = Group({
    "docker_label": Group(
        dict.fromkeys(("sd_job_name_label", "sd_metrics_path_label", "sd_port_label"), ANY_TEXT), ANY
    ),
    "task_definition_list": Items(Group({**_DISCOVERED, "sd_task_definition_arn_pattern": ANY_TEXT}, ANY)),
    "service_name_list_for_tasks": Items(Group({**_DISCOVERED, "sd_service_name_pattern": ANY_TEXT}, ANY)),
    **dict.fromkeys(("sd_cluster_region", "sd_frequency", "sd_result_file", "sd_target_cluster"), ANY_TEXT),
})  # fmt: skip
_DECLARATION: Final = Group({
    "source_labels": Items(ANY_TEXT), "label_matcher": ANY_TEXT, "label_separator": ANY_TEXT,
    "metric_selectors": Items(ANY_TEXT), "dimensions": Items(Items(ANY_TEXT)),
})  # fmt: skip
_EMF_PROCESSOR: Final = Group({
    "metric_declaration_dedup": FLAG, "metric_namespace": ANY_TEXT,
    "metric_unit": Group(others=Text(least=1, most=256)), "metric_declaration": Items(_DECLARATION),
})  # fmt: skip
_NOT_EMPTY: Final = Text(least=1)
_SIGNAL_RULE: Final = Group(
    {
        "selectors": Items(Group({"dimension": _NOT_EMPTY, "match": _NOT_EMPTY}, ANY, ("dimension", "match"))),
        "replacements": Items(
            Group({"target_dimension": _NOT_EMPTY, "value": ANY_TEXT}, ANY, ("target_dimension", "value"))
        ),
        "action": Text(choices=("keep", "drop", "replace")),
        "rule_name": _NOT_EMPTY,
    },
    ANY,
    ("selectors", "action"),
)
_SIGNALS: Final = Group({"hosted_in": Text(least=1, most=1024), "rules": Items(_SIGNAL_RULE)}, ANY)
LOGS: Final = Group(
    {
        "logs_collected": Group(
            {
                "files": _list_of(FILE),
                "windows_events": _list_of(EVENTS),
                "journald": _list_of(JOURNAL),
                "application_signals": Group(
                    {"log_group_name": NAME, "log_stream_name": NAME, "disabled": FLAG}, ANY
                ),
            },
            least=1,
        ),
        "metrics_collected": Group(
            {
                "app_signals": _SIGNALS,
                "application_signals": _SIGNALS,
                "ecs": Group({"metrics_collection_interval": SECONDS, "disable_metric_extraction": FLAG}),
                "kubernetes": Group(
                    {
                        "cluster_name": NAME, "jmx_container_insights": FLAG, "metrics_collection_interval": SECONDS,
                        "disable_metric_extraction": FLAG,
                    },
                    ANY,
                ),
                "prometheus": Group({
                    "cluster_name": ANY_TEXT, "log_group_name": ANY_TEXT, "prometheus_config_path": ANY_TEXT,
                    "emf_processor": _EMF_PROCESSOR, "ecs_service_discovery": _ECS_DISCOVERY,
                    "disable_metric_extraction": FLAG,
                }),
                "otlp": OTLP,
            },
            ANY,
        ),
        "log_stream_name": NAME,
        "force_flush_interval": SECONDS,
        "credentials": CREDENTIALS,
        "endpoint_override": ENDPOINT,
        "concurrency": Whole(least=1),
        **SERVICE,
    },
    False,
    (),
    ("logs_collected", "metrics_collected"),
)  # fmt: skip

# traces and opentelemetry

TRACES: Final = Group(
    {
        "traces_collected": Group(
            {
                "app_signals": Group(others=ANY), "application_signals": Group(others=ANY), "otlp": OTLP,
                "xray": Group({"bind_address": ENDPOINT, "tcp_proxy": Group({"bind_address": ENDPOINT})}),
            },
            least=1,
        ),
        "concurrency": Whole(least=1), "buffer_size_mb": Whole(least=3), "resource_arn": ANY_TEXT, "local_mode": FLAG,
        "insecure": FLAG, "credentials": CREDENTIALS, "proxy_override": ENDPOINT, "endpoint_override": ENDPOINT,
        "region_override": ANY_TEXT, "transit_spans_in_otlp_format": FLAG,
    },
    False,
    ("traces_collected",),
)  # fmt: skip
_OTEL_FILE: Final = Group(
    {
        "file_path": PATH, "log_group_name": NAME, "log_stream_name": NAME, "multi_line_start_pattern": ANY_TEXT,
        "timestamp_format": ANY_TEXT, **_DATED, "encoding": ANY_TEXT,
    },
    False,
    ("file_path",),
)  # fmt: skip
_OTEL_EVENTS: Final = Group(
    {
        "event_name": SHORT, "event_levels": Items(Text(choices=EVENT_LEVELS), 1, unique=True),
        "event_ids": Items(Whole(least=0, most=65_535), 1, unique=True), "event_format": Text(choices=("text", "xml")),
        "log_group_name": NAME, "log_stream_name": NAME,
    },
    False,
    ("event_name",),
)  # fmt: skip
_DATABASE: Final = Group(
    {
        **dict.fromkeys(("endpoint", "instance_name", "username", "password_file", "ca_file"), ANY_TEXT),
        "logs": Group({"file_path": ANY_TEXT}),
    },
    False,
    ("endpoint", "instance_name", "username", "password_file"),
)
OPENTELEMETRY: Final = Group({
    "cluster_name": ANY_TEXT,
    "resource_attributes": DIMENSIONS,
    "collect": Group({
        "database_insights": Group({"postgresql": Items(_DATABASE)}),
        "host_metrics": Group({"collection_interval": SECONDS}),
        "container_insights": Group({
            "collection_interval": SECONDS, "role": Text(choices=("node", "cluster")), "logs": Group({"enabled": FLAG}),
        }),
        "prometheus": Group({"config_path": ANY_TEXT}, False, ("config_path",)),
        "otlp": Group({"grpc_endpoint": ANY_TEXT, "http_endpoint": ANY_TEXT, "span_metrics_enabled": FLAG}),
        "windows_events": Group({"collect_list": Items(_OTEL_EVENTS, 1)}, False, ("collect_list",)),
        "files": Group({"collect_list": Items(_OTEL_FILE, 1)}, False, ("collect_list",)),
    }),
})  # fmt: skip

AGENT: Final = Group(
    {
        "metrics_collection_interval": SECONDS, "logfile": Text(most=4096), "region": Text(least=1, most=64),
        "debug": FLAG, "aws_sdk_log_level": ANY_TEXT, "credentials": CREDENTIALS, "omit_hostname": FLAG, **SERVICE,
    },
    ANY,
)  # fmt: skip
MORE_AGENT_KEYS: Final = frozenset({
    "run_as_user", "use_dualstack_endpoint", "user_agent", "internal", "hostname", "quiet", "flush_interval",
    "flush_jitter", "collection_jitter", "interval", "round_interval", "metric_batch_size", "metric_buffer_limit",
    "precision", "global_tags", "mode", "imds_retries", "logtarget", "region_type", "role_arn", "usage_data",
})  # fmt: skip
"""Keys of the open `agent` section that the agent reads although they are not documented as options."""
CONFIG: Final = Group(
    {"agent": AGENT, "metrics": METRICS, "logs": LOGS, "traces": TRACES, "opentelemetry": OPENTELEMETRY}, ANY
)
MORE_ROOT_KEYS: Final = frozenset({"csm"})
