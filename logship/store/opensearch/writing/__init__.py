"""Records as documents, and their way into a cluster."""
