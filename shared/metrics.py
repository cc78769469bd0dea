"""Prometheus metrics that every service has. Labels are codes and names of our own, never a complainant's data."""

from prometheus_client import Counter, Gauge, Histogram

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

requests_total = Counter("redress_http_requests", "Requests answered", ["service", "method", "route", "status"])
request_seconds = Histogram(
    "redress_http_request_seconds", "Time to answer a request", ["service", "method", "route"], buckets=_FAST
)
outbox_depth = Gauge("redress_outbox_depth", "Events written and not yet published", ["service"])
outbox_age_seconds = Gauge("redress_outbox_oldest_age_seconds", "Age of the oldest unpublished event", ["service"])
events_published = Counter("redress_events_published", "Events that the bus has taken", ["service"])
events_handled = Counter("redress_events_handled", "Events handled, repeats included", ["service"])
handler_seconds = Histogram("redress_handler_seconds", "Time to handle a batch of events", ["service"], buckets=_FAST)
consumer_lag = Gauge("redress_consumer_lag", "Messages published and not yet handled", ["service", "topic"])
parked_total = Counter("redress_events_parked", "Events parked since start", ["service", "reason"])
parked_now = Gauge("redress_parked", "Events parked and not settled", ["service", "reason"])
relay_leader = Gauge("redress_relay_leader", "1 where this process relays the outbox", ["service"])
