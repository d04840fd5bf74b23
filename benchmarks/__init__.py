"""What a conversation costs on this server, and what it costs on the one that AG2's guide shows."""


class MeasurementError(Exception):
    """A measurement could not be made, which is not the same as a goal that was missed."""
