"""The figures once more, by another way: plain SQL over the raw events, in DuckDB. It shares no code with reporting."""

from collections import Counter
from collections.abc import Iterable
from datetime import date
from typing import Any

import duckdb

_SETUP = """
CREATE TABLE heard (id VARCHAR, subject VARCHAR, type VARCHAR, data JSON);
"""
# Hong Kong's clocks, the bank's in these tests, are eight hours ahead all year.
_VIEWS = """
CREATE TABLE event AS SELECT DISTINCT id, subject, replace(replace(type, 'com.redress.', ''), '.v1', '') AS type, data
FROM heard;
CREATE MACRO moment(data, name) AS CAST(json_extract_string(data, name) AS TIMESTAMPTZ) AT TIME ZONE 'UTC';
CREATE MACRO day(t) AS CAST(t + INTERVAL 8 HOUR AS DATE);
CREATE MACRO newest(of, which) AS TABLE SELECT subject, arg_max(data, (moment(data, which), id)) AS data,
    max((moment(data, which), id)) AS stamp FROM event WHERE type = of GROUP BY subject;
CREATE MACRO first_time(of, which) AS TABLE SELECT subject, min(moment(data, which)) AS t FROM event
    WHERE type = of GROUP BY subject;
CREATE TABLE received AS SELECT DISTINCT subject, data->>'reference' AS reference, data->>'channel' AS channel,
    data->>'branch' AS branch, data->>'jurisdiction' AS jurisdiction, data->>'product' AS product,
    data->>'language' AS language, data->>'customer_ref' AS customer, moment(data, 'received_at') AS t
    FROM event WHERE type = 'complaint.received';
CREATE TABLE again AS SELECT DISTINCT b.subject FROM received a JOIN received b ON a.customer = b.customer
    AND (a.t, a.subject) < (b.t, b.subject) AND b.t - a.t <= INTERVAL 365 DAY;
CREATE TABLE reopened AS FROM newest('complaint.reopened', 'reopened_at');
CREATE TABLE decision AS SELECT d.* FROM newest('complaint.resolved', 'resolved_at') d LEFT JOIN reopened r
    USING (subject) WHERE r.stamp IS NULL OR d.stamp > r.stamp;
CREATE TABLE closing AS SELECT c.* FROM newest('complaint.closed', 'closed_at') c LEFT JOIN reopened r USING (subject)
    WHERE r.stamp IS NULL OR c.stamp > r.stamp;
CREATE TABLE classification AS FROM newest('complaint.classified', 'classified_at');
CREATE TABLE routing AS FROM newest('complaint.routed', 'routed_at');
CREATE TABLE assignment AS SELECT a.* FROM newest('complaint.assigned', 'assigned_at') a JOIN routing r USING (subject)
    WHERE a.stamp > r.stamp;
CREATE TABLE amendment AS FROM newest('complaint.amended', 'amended_at');
CREATE TABLE rating AS FROM newest('complaint.rated', 'rated_at');
CREATE TABLE final_response AS SELECT subject, min(moment(data, 'responded_at')) AS t FROM event
    WHERE type = 'complaint.responded' AND CAST(data->'final' AS BOOLEAN) GROUP BY subject;
CREATE MACRO minutes(a, b) AS greatest(0, CAST(floor((epoch_us(b) - epoch_us(a)) / 60000000) AS BIGINT));
CREATE MACRO grid(m) AS CASE WHEN m < 60 THEN m WHEN m < 4320 THEN m // 60 * 60 ELSE m // 1440 * 1440 END;
CREATE TABLE place AS SELECT r.subject, day(r.t) AS received_day,
    day(k.t) AS acknowledged_day, day(f.t) AS responded_day,
    day(moment(d.data, 'resolved_at')) AS resolved_day, day(moment(c.data, 'closed_at')) AS closed_day,
    day(o.t) AS reopened_day, day(u.t) AS disputed_day, day(moment(s.data, 'rated_at')) AS rated_day,
    r.channel, coalesce(l.data->>'category', 'unclassified') AS category,
    coalesce(l.data->>'product', r.product, 'unstated') AS product,
    coalesce(g.data->>'department', 'unrouted') AS department, coalesce(r.branch, 'unstated') AS branch,
    coalesce(l.data->>'severity', 'unclassified') AS severity,
    coalesce(r.language, l.data->>'language', 'unstated') AS language,
    coalesce(r.jurisdiction, 'unstated') AS jurisdiction,
    coalesce(d.data->>'outcome', 'open') AS outcome, coalesce(d.data->>'root_cause', 'open') AS root_cause,
    CASE WHEN c.subject IS NULL THEN 'open' ELSE 'closed' END AS state,
    CASE WHEN m.data->>'vulnerable' = 'true' THEN 'yes' ELSE 'no' END AS vulnerable,
    CASE WHEN e.subject IS NULL THEN 'no' ELSE 'yes' END AS repeat,
    grid(minutes(r.t, k.t)) AS to_acknowledge, grid(minutes(r.t, f.t)) AS to_respond,
    grid(minutes(r.t, moment(c.data, 'closed_at'))) AS to_close,
    CAST(d.data->>'redress_amount' AS DECIMAL(18, 4)) AS redress, d.data->>'redress_currency' AS currency,
    s.data->>'overall' AS overall, s.data->>'staff' AS staff, s.data->>'product' AS product_rating,
    s.data->>'handling' AS handling, a.data->>'assignee' AS assignee
FROM received r
LEFT JOIN first_time('complaint.acknowledged', 'acknowledged_at') k USING (subject)
LEFT JOIN final_response f USING (subject) LEFT JOIN decision d USING (subject) LEFT JOIN closing c USING (subject)
LEFT JOIN first_time('complaint.reopened', 'reopened_at') o USING (subject)
LEFT JOIN first_time('complaint.disputed', 'disputed_at') u USING (subject)
LEFT JOIN rating s USING (subject) LEFT JOIN classification l USING (subject) LEFT JOIN routing g USING (subject)
LEFT JOIN amendment m USING (subject) LEFT JOIN again e USING (subject) LEFT JOIN assignment a USING (subject);
CREATE TABLE said AS
    SELECT subject, data->>'clock_id' AS clock, id,
    unnest(from_json(data->'steps', '[{"name":"VARCHAR"}]')).name AS step,
    CASE type WHEN 'clock.started' THEN 0 ELSE -1 END AS rank,
    CASE type WHEN 'clock.started' THEN 'running' ELSE 'anew' END AS word FROM event
    WHERE type = 'clock.started' OR (type = 'clock.moved' AND data->>'cause' = 'reopened')
  UNION ALL
    SELECT subject, data->>'clock_id', id, data->>'step',
    CASE type WHEN 'deadline.warned' THEN 1 WHEN 'deadline.missed' THEN 2 ELSE 3 END,
    CASE WHEN type = 'deadline.warned' THEN 'due_soon'
         WHEN type = 'deadline.missed' THEN CASE WHEN data->>'historic' = 'true' THEN 'lapsed' ELSE 'missed' END
         WHEN data->>'in_time' = 'true' THEN 'in_time' ELSE 'late' END
    FROM event WHERE type IN ('deadline.warned', 'deadline.missed', 'clock.met');
CREATE TABLE anew AS SELECT subject, clock, step, max(id) AS id FROM said WHERE word = 'anew' GROUP BY ALL;
CREATE TABLE outcome AS SELECT s.subject, s.clock, s.step,
    coalesce(arg_max(s.word, (s.rank, s.id)) FILTER (s.rank >= 0 AND (a.id IS NULL OR s.id > a.id)), 'running')
    AS result FROM said s LEFT JOIN anew a USING (subject, clock, step) GROUP BY ALL;
CREATE TABLE rule AS SELECT DISTINCT subject, data->>'clock_id' AS clock, data->>'pack' AS rule,
    data->>'primary' = 'true' AS is_primary FROM event WHERE type = 'clock.started';
CREATE TABLE deadline AS SELECT o.*, r.rule, r.is_primary, p.* EXCLUDE (subject) FROM outcome o
    JOIN rule r USING (subject, clock) JOIN place p USING (subject);
"""


class SlowPath:
    """Give it every event that was delivered, `(id, subject, type, data as JSON)`, then ask."""

    def __init__(self, events: Iterable[tuple[str, str, str, str]]) -> None:
        self._db = duckdb.connect()
        self._db.execute("SET threads = 2")
        self._db.execute(_SETUP)
        import pyarrow as pa

        rows = list(events)
        columns = {name: [row[i] for row in rows] for i, name in enumerate(("id", "subject", "type", "data"))}
        table = pa.table(columns)
        self._db.register("given", table)
        self._db.execute("INSERT INTO heard SELECT * FROM given")
        self._db.execute(_VIEWS)

    def counts(
        self, basis: str, dimension: str, since: date | None, until: date | None, where: dict[str, str]
    ) -> Counter[str]:
        """As `figures.reading.counts`, amounts in ten-thousandths."""
        table, value, day, condition = "place", "count(*)", f"{basis}_day", "true"
        code = dimension
        if basis == "deadline":
            table, day = "deadline", "received_day"
            code = {
                "step": "step || '/' || result",
                "department": "department || '/' || result",
                "rule": "rule || '/' || step || '/' || result",
            }[dimension]
            condition = "true" if dimension == "rule" else "is_primary"
        elif basis == "redress":
            value, day, condition = "CAST(sum(redress) * 10000 AS BIGINT)", "resolved_day", "redress > 0"
            code = f"{dimension} || '/' || currency" if dimension else "currency"
        conditions = [condition, f"{code} IS NOT NULL", f"{day} IS NOT NULL"]
        parameters: list[Any] = []
        for name, wanted in where.items():
            conditions.append(f"{name} = ?")
            parameters.append(wanted)
        for sign, limit in ((">=", since), ("<=", until)):
            if limit is not None:
                conditions.append(f"{day} {sign} ?")
                parameters.append(limit)
        query = f"SELECT {code}, {value} FROM {table} WHERE {' AND '.join(conditions)} GROUP BY 1"
        return Counter({str(key): int(n) for key, n in self._db.execute(query, parameters).fetchall()})

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        return self._db.execute(query).fetchall()
