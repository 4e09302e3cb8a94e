"""The rows of the table: what is done, by whom, in which unit, and the gate."""
import dataclasses
import statistics

ALL = ("lb", "other-lb", "haproxy", "nginx")
LBS = ("lb", "other-lb")


@dataclasses.dataclass(frozen=True)
class Row:
    """CPU seconds of the proxy for `per` operations (bulk: for `per` bytes), or KB for one idle connection."""

    name: str
    title: str
    mode: str  # of the load generator
    service: str  # of the proxy
    count: int  # operations of one sample; bulk: bytes; idle: connections
    per: int
    gate: float = None  # the most that lb / HAProxy may be; idle: KB
    connections: int = 64
    subjects: tuple = ALL
    base: str = None  # the row that the ratio's other side is taken from
    base_subject: str = "haproxy"


ROWS = (
    Row("handshake", "1000 full handshakes, one-way", "handshake", "one-way", 2000, 1000, 0.60),
    Row("mutual", "1000 full handshakes, mutual", "handshake", "mutual", 2000, 1000, 0.40),
    Row("script", "  the same with script (HAProxy: ACLs)", "handshake", "script", 2000, 1000, 0.42,
        subjects=("lb", "other-lb", "haproxy"), base="mutual"),
    Row("log", "  the same with a line in the log", "handshake", "log", 2000, 1000, subjects=LBS, base="mutual",
        base_subject="lb"),
    Row("rsa", "1000 full handshakes, RSA-2048, one-way", "handshake", "rsa", 1000, 1000, 1.05),
    Row("request", "1000 small requests, kept connections", "request", "one-way", 40000, 1000, 0.90),
    Row("bulk", "GB downloaded", "bulk", "one-way", 10**9, 10**9, 0.75, connections=4,
        subjects=("lb", "other-lb", "haproxy", "haproxy-64k", "nginx")),
    Row("idle", "KB RSS for an idle connection", "idle", "one-way", 2000, 1, 6.5, connections=2000),
)
BY_NAME = {row.name: row for row in ROWS}


def with_bases(rows):
    """`rows`, and before each the row that its ratio needs."""
    names = {row.name for row in rows} | {row.base for row in rows if row.base}
    return [row for row in ROWS if row.name in names]


def ratio_between(samples, ours, theirs):
    """The median of the rounds' ratios, or None: what disturbs a machine for a while disturbs both of one round."""
    pairs = [a / b for a, b in zip(samples.get(ours, ()), samples.get(theirs, ()))]
    return statistics.median(pairs) if pairs else None


def ratio(row, samples):
    """lb against its other side. `samples` maps (row name, subject name) to a figure for each round."""
    return ratio_between(samples, (row.name, "lb"), (row.base or row.name, row.base_subject))


def gate_met(row, samples):
    """None without a gate, or without the figures for it."""
    value = ratio(row, samples)
    if row.mode == "idle":
        value = statistics.median(samples[row.name, "lb"]) if (row.name, "lb") in samples else None
    return None if row.gate is None or value is None else value <= row.gate
