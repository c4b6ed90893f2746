"""Files that are written from the settings: what runs a forwarder, and what permits it to."""
