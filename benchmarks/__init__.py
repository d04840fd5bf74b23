"""Benchmarks: this server against the one in AG2's guide, and how well the knowledge search finds passages."""


class MeasurementError(Exception):
    """A measurement failed. A missed goal is not an error."""
