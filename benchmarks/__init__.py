"""Benchmarks: this server beside AG2's guide and a bare relay, and how well the knowledge search finds passages."""


class MeasurementError(Exception):
    """A measurement failed. A missed goal is not an error."""
