"""Configs of the CloudWatch Agent, from the services that the settings describe."""
