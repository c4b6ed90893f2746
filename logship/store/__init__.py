"""Where records live: the port, and one folder per engine."""
