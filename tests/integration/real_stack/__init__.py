"""A running system of real programs whose logs share one request id."""
