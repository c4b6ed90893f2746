"""The forwarder seen from outside: one snapshot, and metrics, health, notifications and lines made of it."""
