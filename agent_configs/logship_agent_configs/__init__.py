"""Recipes per known service, read with `importlib.resources.files("logship_agent_configs")`."""
