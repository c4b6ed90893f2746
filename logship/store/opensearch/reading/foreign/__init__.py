"""Reading indices that others write: Beats and ELK, OpenTelemetry collectors, simple schema for observability."""
