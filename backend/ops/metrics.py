"""What Prometheus scrapes: health, queues and requests as numbers. Names are public; alert rules use them.

Everything is taken when it is asked for, from the same readings as the status. No label holds anything personal.
"""

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric

from backend.ops.health import judge
from backend.ops.readings import Readings

STATES = {"down": 0, "waits": 1, "works": 2}
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds

Look = Callable[[], Readings]


class Metrics:
    """The metrics of one process."""

    def __init__(self, look: Look, till_waiting: Callable[[], int]) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "truestub_http_requests", "Requests answered.", ("route", "method", "status"), registry=self.registry
        )
        self.seconds = Histogram(
            "truestub_http_request_seconds",
            "Seconds a request took.",
            ("route",),
            buckets=BUCKETS,
            registry=self.registry,
        )
        self.registry.register(_Platform(look, till_waiting))


class _Platform:
    def __init__(self, look: Look, till_waiting: Callable[[], int]) -> None:
        self._look, self._till_waiting = look, till_waiting

    def describe(self) -> list[Metric]:
        """Nothing is looked at while registering."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Everything, as of now."""
        now = self._look()
        components = GaugeMetricFamily(
            "truestub_component_state", "2 works, 1 waits, 0 is down.", labels=("component",)
        )
        troubles = GaugeMetricFamily(
            "truestub_trouble", "1 for each cause for which a component does not work.", labels=("component", "cause")
        )
        for one in judge(now):
            components.add_metric([one.component], STATES[one.state])
            if one.state != "works":
                troubles.add_metric([one.component, one.cause], 1)
        yield components
        yield troubles
        yield _gauge("till_waiting", "Requests that wait for their batch in this process.", self._till_waiting())
        yield _gauge("database_up", "1 if the database answers.", int(now.database_away_ms is None))
        if now.database_away_ms is not None:
            return
        yield _gauge("mints_queued", "Paid tickets that are not on the chain.", now.mints_queued)
        yield _gauge(
            "mint_oldest_seconds", "Age of the oldest closed batch not on the chain.", _age(now, now.mints_oldest_ms)
        )
        yield _gauge("tickets_minted", "Tickets minted by our transactions, ever.", now.minted)
        yield _gauge("payments_late", "Payments whose provider has not answered.", now.payments_late)
        yield _gauge("refunds_waiting", "Refunds not yet taken by the provider.", now.refunds_waiting)
        yield _gauge("notices_waiting", "Notices to subscribers not yet sent.", now.notices_waiting)
        yield _gauge("index_age_seconds", "Seconds since the node was last heard.", _age(now, now.index_seen_ms))
        yield _gauge(
            "bundle_age_seconds", "Age of the stalest bundle of a near event.", _age(now, now.bundle_oldest_ms)
        )
        yield _gauge(
            "worker_gone_seconds",
            "Seconds since a worker last watched; 0 while one does.",
            _age(now, now.worker_gone_ms),
        )
        yield _gauge(
            "sensor_outside_seconds", "Seconds a sensor has been outside its limits.", _age(now, now.sensor_since_ms)
        )
        yield _gauge(
            "backup_age_seconds",
            "Age of the last good backup; of the installation if there is none.",
            _age(now, now.backup_ms),
        )
        yield _gauge("backup_failed", "1 if the last backup that was tried failed.", int(now.backup_failed))
        yield _gauge(
            "drill_age_seconds", "Age of the last drill that found a backup whole, alike.", _age(now, now.drill_ms)
        )
        yield _gauge("drill_failed", "1 if the last drill failed.", int(now.drill_failed))
        if now.free_bytes is not None:
            yield _gauge("disk_free_bytes", "Room on the data folder's disk.", now.free_bytes)


def _gauge(name: str, words: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"truestub_{name}", words, value=value)


def _age(now: Readings, since_ms: int | None) -> float:
    return max(0, now.at_ms - since_ms) / 1000 if since_ms is not None else 0.0
