"""Python logging wiring, written from the settings: one short module for each framework."""
