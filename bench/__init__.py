"""Benchmarks: each figure beside a named limit that the same run has measured."""
