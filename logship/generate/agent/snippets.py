"""What goes with a config on request: how it gets to the hosts, and what permits the agent to send."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from logship.generate.agent.config import Made

FOLDER: Final = "/opt/aws/amazon-cloudwatch-agent/etc"
_CTL: Final = "/opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl"
_WINDOWS_CTL: Final = r"C:\Program Files\Amazon\AmazonCloudWatchAgent\amazon-cloudwatch-agent-ctl.ps1"


def policy(made: list[Made], *, account: str = "*", region: str = "*") -> dict[str, Any]:
    """The least that the agent needs to write just these groups.

    Source: "Create IAM roles and users for use with CloudWatch agent"; retention needs the two actions on policies.
    """
    groups = sorted({group for one in made for group in one.groups})
    arns = [f"arn:aws:logs:{region}:{account}:log-group:{group}" for group in groups]
    statements: list[dict[str, Any]] = [
        {
            "Sid": "WriteLogs",
            "Effect": "Allow",
            "Action": ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
            "Resource": [f"{arn}:*" for arn in arns],
        },
        {
            "Sid": "MakeGroups",
            "Effect": "Allow",
            "Action": ["logs:CreateLogGroup", "logs:DescribeLogGroups", "logs:PutRetentionPolicy"],
            "Resource": [f"{arn}:*" for arn in arns],
        },
    ]
    if any("metrics" in one.config for one in made):
        statements.append(
            {"Sid": "WriteMetrics", "Effect": "Allow", "Action": "cloudwatch:PutMetricData", "Resource": "*"}
        )
        statements.append({"Sid": "ReadTags", "Effect": "Allow", "Action": "ec2:DescribeTags", "Resource": "*"})
    if any("traces" in one.config for one in made):
        actions = [
            "xray:PutTraceSegments",
            "xray:PutTelemetryRecords",
            "xray:GetSamplingRules",
            "xray:GetSamplingTargets",
        ]
        statements.append({"Sid": "WriteTraces", "Effect": "Allow", "Action": actions, "Resource": "*"})
    return {"Version": "2012-10-17", "Statement": statements}


def commands(made: Made) -> str:
    """How the agent takes the config."""
    return f"""# Replaces what the agent has:
sudo {_CTL} -a fetch-config -m ec2 -s -c file:{made.name}
# Adds to it, where other files stay:
sudo {_CTL} -a append-config -m ec2 -s -c file:{made.name}
# From a parameter that `logship agent push` has written:
sudo {_CTL} -a fetch-config -m ec2 -s -c ssm:AmazonCloudWatch-{made.role or "logship"}
# On Windows:
& "{_WINDOWS_CTL}" -a fetch-config -m ec2 -s -c file:{made.name}
"""


def cloudformation(made: Made) -> str:
    """A parameter with the config."""
    template = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Resources": {
            "AgentConfig": {
                "Type": "AWS::SSM::Parameter",
                "Properties": {
                    "Name": f"AmazonCloudWatch-{made.role or 'logship'}",
                    "Type": "String",
                    "Tier": "Intelligent-Tiering",
                    "Value": json.dumps(made.config, separators=(",", ":")),
                },
            }
        },
    }
    return json.dumps(template, indent=2) + "\n"


def terraform(made: Made) -> str:
    """The same for Terraform; the config lies beside it."""
    name = (made.role or "logship").replace("-", "_")
    return f"""resource "aws_ssm_parameter" "cloudwatch_agent_{name}" {{
  name  = "AmazonCloudWatch-{made.role or "logship"}"
  type  = "String"
  tier  = "Intelligent-Tiering"
  value = jsonencode(jsondecode(file("${{path.module}}/{made.name}")))
}}
"""


def ansible(made: Made) -> str:
    """Tasks that copy the config and load it."""
    return f"""- name: CloudWatch Agent config
  ansible.builtin.copy:
    src: {made.name}
    dest: {FOLDER}/{made.name}
    owner: root
    mode: "0644"
  register: agent_config

- name: Load it
  ansible.builtin.command: "{_CTL} -a fetch-config -m auto -s -c file:{FOLDER}/{made.name}"
  when: agent_config.changed
"""


def cloud_init(made: Made) -> str:
    """User data of an instance."""
    text = json.dumps(made.config, indent=2).replace("\n", "\n      ")
    return f"""#cloud-config
write_files:
  - path: {FOLDER}/{made.name}
    permissions: "0644"
    content: |
      {text}
runcmd:
  - [{_CTL}, -a, fetch-config, -m, ec2, -s, -c, "file:{FOLDER}/{made.name}"]
"""


def systemd(made: Made) -> str:
    """A drop-in: the agent comes back whatever happens, and waits for the network."""
    del made
    return """# /etc/systemd/system/amazon-cloudwatch-agent.service.d/logship.conf
[Unit]
Wants=network-online.target
After=network-online.target
[Service]
Restart=always
RestartSec=5
"""


WITH: Final[dict[str, tuple[str, Callable[[Made], str]]]] = {
    "commands": ("agent-commands{}.sh", commands),
    "cloudformation": ("agent-parameter{}.template.json", cloudformation),
    "terraform": ("agent-parameter{}.tf", terraform),
    "ansible": ("agent-tasks{}.yml", ansible),
    "cloud-init": ("agent-user-data{}.yml", cloud_init),
    "systemd": ("agent-drop-in{}.conf", systemd),
}
"""Name → (file, its text)."""
