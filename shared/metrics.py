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
consumer_lag = Gauge(
    "redress_consumer_lag", "Messages published and not yet handled", ["service", "topic", "partition"]
)
parked_total = Counter("redress_events_parked", "Events parked since start", ["service", "reason"])
parked_now = Gauge("redress_parked", "Events parked and not settled", ["service", "reason"])
relay_leader = Gauge("redress_relay_leader", "1 where this process relays the outbox", ["service"])
parking_used = Gauge(
    "redress_parking_used_ratio", "Failing events parked, as a share of those with which all stands still", ["service"]
)
ready = Gauge("redress_ready", "1 where the service can do its work, even if something waits", ["service"])
database_up = Gauge("redress_database_up", "1 while the service's database answers", ["service"])
bus_up = Gauge("redress_bus_up", "1 while a worker of the service reaches the event bus", ["service"])
workers_alive = Gauge("redress_workers_alive", "Workers of the service that have been heard of lately", ["service"])
disk_free_bytes = Gauge("redress_disk_free_bytes", "Free where the service keeps its files", ["service"])
disk_free_ratio = Gauge("redress_disk_free_ratio", "Share that is free where the service keeps its files", ["service"])
certificate_left = Gauge(
    "redress_certificate_remaining_seconds",
    "Until a certificate ends; below 0 when it has ended or cannot be read",
    ["service", "certificate"],
)
encryption_key_age = Gauge(
    "redress_encryption_key_age_seconds", "Since the present encryption key was first used", ["service"]
)
api_key_age = Gauge("redress_api_key_oldest_age_seconds", "Age of the oldest API key in force", ["service"])
api_key_left = Gauge(
    "redress_api_key_next_end_seconds", "Until the next API key ends by itself; absent when none does", ["service"]
)
build = Gauge("redress_build_info", "1; which version runs", ["service", "version"])
answers = Gauge("redress_desk_service_answers", "1 while the service answers the desk", ["service"])
