"""Data sets and published measurements, each with its source beside it."""
