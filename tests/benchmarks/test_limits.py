"""A benchmark that falls short says so itself."""

from tests.benchmarks.limits import missed


def test_what_falls_short_is_named_and_what_was_not_measured_is_not() -> None:
    limits = {"rate": (">=", 700.0), "p99_ms": ("<=", 100.0), "lost": ("==", 0.0), "other": (">=", 1.0)}
    assert missed({"rate": 700.0, "p99_ms": 100.0, "lost": 0}, limits) == {"missed": []}
    short = missed({"rate": 699.9, "p99_ms": 100.1, "lost": 1}, limits)
    assert short == {"missed": ["rate >= 700", "p99_ms <= 100", "lost == 0"]}
