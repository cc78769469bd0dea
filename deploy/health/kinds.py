"""The alarms that there are: what each says, what it keeps waiting, what to do about it.

Each bears the name of its alert in `deploy/monitoring/alerts.yml` (`kafka_away`, `KafkaAway`) and of its page in
`docs/runbooks/` (`kafka-away.md`). The limits are those of the alerts.
"""

from dataclasses import dataclass, field

from shared.i18n import mark

LAG = 1000  # messages in one partition
DEADLINES_BEHIND = 300  # seconds
NOTICES_BEHIND = 900
PARKING_USED = 0.5
ERRORS = 0.05  # share of requests
SLOW = 2.0  # seconds at the 95th percentile
DISK_FREE = 0.1  # share
CERTIFICATE = 21 * 86_400  # seconds
ENCRYPTION_KEY = 400 * 86_400
API_KEY = 400 * 86_400
API_KEY_ENDS = 14 * 86_400
ENOUGH = 20  # requests below which nothing is said of errors and times


@dataclass(frozen=True, slots=True)
class Kind:
    """An alarm as such. `detail` is said of each service that has it, `waits` what it keeps waiting: of all, or of the
    service named. `critical`: somebody must act now."""

    code: str
    title: str
    detail: str
    waits: str
    todo: str
    critical: bool = False
    waits_of: dict[str, str] = field(default_factory=dict)
    runbook: str = ""

    @property
    def page(self) -> str:
        """The name of its runbook page."""
        return self.runbook or self.code.replace("_", "-")


_WAITS_OF = {
    "intake": mark("New complaints are refused with 503 and sent again by the channels; those taken are safe."),
    "routing": mark("Casework stands still; events wait for it and nothing is lost."),
    "sla": mark("Deadlines are not watched meanwhile; what fell due is done, late, once it is back."),
    "reporting": mark("Figures stand still; they catch up once it is back."),
}

KINDS = {
    kind.code: kind
    for kind in (
        Kind(
            "service_down",
            mark("A service does not answer"),
            mark("It does not answer at its address."),
            mark("Whatever this service does waits."),
            mark("See whether its process runs and what its log says last; start it again. It needs no repair."),
            critical=True,
            waits_of=_WAITS_OF,
        ),
        Kind(
            "database_away",
            mark("A database does not answer"),
            mark("Its database ({database}) does not answer."),
            mark("Whatever this service does waits."),
            mark("Bring the database back: server, network, disk, password. The services connect again by themselves."),
            critical=True,
            waits_of=_WAITS_OF,
        ),
        Kind(
            "kafka_away",
            mark("Kafka does not answer"),
            mark("Its worker cannot reach Kafka; {count} events wait to be published."),
            mark("Complaints are still taken. What services tell one another waits in the outbox and is sent later."),
            mark("Bring the brokers back: processes, network, disk, certificates. Everything goes on by itself."),
            critical=True,
        ),
        Kind(
            "delivery_failing",
            mark("Events cannot be handed over"),
            mark("A service could not take them; {count} events wait."),
            mark("What one service tells the others waits in its outbox and is handed over again and again."),
            mark("See which service is not ready, and what the desk's log says of bus.delivery_failed."),
            critical=True,
            runbook="outbox-waits",
        ),
        Kind(
            "no_worker",
            mark("No worker runs"),
            mark("None has been heard of for {span}."),
            mark("Its events are neither sent nor read, and its timers stand still. Nothing is lost."),
            mark("Start the worker of this service; see what its log says last."),
            critical=True,
        ),
        Kind(
            "worker_silent",
            mark("A worker has gone silent"),
            mark("{count} of its workers are silent; others do their work."),
            mark("Nothing; less is done at a time."),
            mark("See whether it was stopped on purpose; if not, start it again. It is forgotten after an hour."),
            runbook="no-worker",
        ),
        Kind(
            "outbox_waits",
            mark("Events are not being sent"),
            mark("{count} events wait, the oldest for {span}."),
            mark("The other services do not hear of these complaints yet; nothing is lost."),
            mark("See whether its worker runs and leads the relay, and what its log says of relay.restarts."),
            critical=True,
        ),
        Kind(
            "events_parked",
            mark("Events are parked"),
            mark("{count} events are parked."),
            mark("The later events of the same complaints wait behind them; all others flow."),
            mark("Look at them with redress parked list; replay them after the cause is mended."),
        ),
        Kind(
            "parking_nearly_full",
            mark("The parking lot fills up"),
            mark("{share} of what may be parked is used; when it is full the service stands still."),
            mark("Soon every event of this service, so that a bad release cannot park them all."),
            mark("Stop and think: this is a bad release rather than bad events. Go back to the last one, then replay."),
            critical=True,
        ),
        Kind(
            "consumer_lagging",
            mark("A service is behind in reading events"),
            mark("{count} messages are unread."),
            mark("What this service shows and does is as old as the oldest unread message."),
            mark("See whether the number falls. If not, start more workers, up to one for each partition."),
        ),
        Kind(
            "deadlines_behind",
            mark("Deadlines are acted on late"),
            mark("What fell due first has waited for {span}."),
            mark("Warnings and escalations come late; the moments recorded are the right ones."),
            mark("See whether a worker of sla runs and catches up; start more of them if not."),
            critical=True,
        ),
        Kind(
            "notices_behind",
            mark("Notices are sent late"),
            mark("The notice that fell due first has waited for {span}."),
            mark("Staff hear of warnings and escalations late; their pages show them all the same."),
            mark("See whether the mail server and the webhooks take what is sent."),
        ),
        Kind(
            "error_rate",
            mark("Requests fail"),
            mark("{share} of requests in the last minute failed."),
            mark("Those who asked get an error and have to ask again; what was confirmed is kept."),
            mark("Look for request.failed in the log; go back to the last release if it began with this one."),
            critical=True,
        ),
        Kind(
            "slow_answers",
            mark("Answers take long"),
            mark("One in twenty takes longer than {seconds} s."),
            mark("Everybody who asks this service."),
            mark("See whether the database or the machine is busy, and which route is slow on the dashboard."),
        ),
        Kind(
            "disk_nearly_full",
            mark("A disk is nearly full"),
            mark("{share} is free."),
            mark("Nothing yet. When it is full nothing can be written, and complaints are refused."),
            mark("Make room or a larger disk; see what grows: attachments, database, logs."),
        ),
        Kind(
            "certificate_ends",
            mark("A certificate is about to end"),
            mark("{name}: {span} left."),
            mark("Nothing yet. After its end, whoever checks it no longer connects."),
            mark("Have it renewed and put the new file in the place of the old one."),
        ),
        Kind(
            "certificate_unreadable",
            mark("A certificate cannot be read"),
            mark("{name}: its file is not there or is no certificate."),
            mark("Whatever needs it may not start."),
            mark("Put the file where the settings say, readable for the service."),
            runbook="certificate-ends",
        ),
        Kind(
            "encryption_key_old",
            mark("The encryption key is old"),
            mark("It has been in use for {span}."),
            mark("Nothing."),
            mark("Change it: put a new key first, restart, then run redress rotate-encryption."),
        ),
        Kind(
            "api_key_old",
            mark("An API key is old"),
            mark("The oldest has been in force for {span}."),
            mark("Nothing."),
            mark("Find it with redress keys list and change it with redress keys rotate."),
        ),
        Kind(
            "api_key_ends",
            mark("An API key is about to end"),
            mark("The next one ends in {span}."),
            mark("Nothing yet. After its end, whoever uses it is refused."),
            mark("Find it with redress keys list, change it with redress keys rotate, and tell its holder."),
        ),
    )
}
