"""Answers from a cluster: trees compiled to its queries, searches of one point in time, figures."""
