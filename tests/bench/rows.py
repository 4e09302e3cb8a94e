"""The rows of the table: what is done, by whom, in which unit, and the gate."""
import dataclasses
import statistics

ALL = ("lb", "other-lb", "haproxy", "nginx")
LBS = ("lb", "other-lb")
WITH_64K = ("lb", "other-lb", "haproxy", "haproxy-64k", "nginx")
BETTER = ("haproxy", "nginx")
SCRIPTS = ("lb", "other-lb", "haproxy")
LARGE = 100 * 1024


@dataclasses.dataclass(frozen=True)
class Row:
    """CPU seconds of the proxy for `per` operations (bulk: for `per` bytes), or KB for one idle connection."""

    name: str
    title: str
    mode: str  # of the load generator
    service: str  # of the proxy
    count: int  # operations of one sample; bulk: bytes; idle: connections
    per: int
    gate: float = None  # the most that lb may be of the other side; idle: KB
    connections: int = 64
    subjects: tuple = ALL
    base: str = None  # the row that the other side of the gate is taken from, if it is not this one
    against: tuple = ("haproxy",)  # the other side: the best of these
    size: int = 1024  # http1, http2: of a body
    resumed: bool = False  # handshake: all of them, or none
    tls12: bool = False


ROWS = (
    Row("handshake", "1000 full handshakes, one-way", "handshake", "one-way", 2000, 1000, 0.60),
    Row("mutual", "1000 full handshakes, mutual", "handshake", "mutual", 2000, 1000, 0.40),
    Row("script", "  the same with script (HAProxy: ACLs)", "handshake", "script", 2000, 1000, 0.42,
        subjects=SCRIPTS, base="mutual"),
    Row("log", "  the same with a line in the log", "handshake", "log", 2000, 1000, subjects=LBS, base="mutual",
        against=("lb",)),
    Row("rsa", "1000 full handshakes, RSA-2048, one-way", "handshake", "rsa", 1000, 1000, 1.05),
    Row("names-1000", "1000 full handshakes, 1000 certificates", "handshake", "names-1000", 2000, 1000, 1.05,
        base="handshake", against=("lb",)),
    Row("resumed", "1000 resumed handshakes, one-way", "handshake", "one-way", 4000, 1000, resumed=True),
    Row("resumed-12", "  the same with TLS 1.2", "handshake", "one-way", 4000, 1000, resumed=True, tls12=True),
    Row("resumed-mutual", "1000 resumed handshakes, mutual", "handshake", "mutual", 4000, 1000, resumed=True),
    Row("resumed-script", "  the same with script (HAProxy: ACLs)", "handshake", "script", 4000, 1000, 0.60,
        subjects=SCRIPTS, base="resumed-mutual", resumed=True),
    Row("request", "1000 small requests, kept connections", "request", "one-way", 40000, 1000, 0.90),
    Row("bulk", "GB downloaded", "bulk", "one-way", 10**9, 10**9, 0.75, connections=4,
        subjects=WITH_64K),
    Row("idle", "KB RSS for an idle connection", "idle", "one-way", 2000, 1, 6.5, connections=2000),
    Row("idle-mutual", "  the same, mutual", "idle", "mutual", 2000, 1, connections=2000),
    Row("h1-plain", "1000 HTTP/1.1 requests, 1 KB", "http1", "http-plain", 20000, 1000, 0.80, against=BETTER),
    Row("h1", "  the same over TLS", "http1", "http", 20000, 1000, 0.80, against=BETTER),
    Row("h1-100k", "  the same over TLS, 100 KB", "http1", "http", 4000, 1000, against=BETTER, size=LARGE,
        subjects=WITH_64K),
    Row("h1-mutual", "  the same over mutual TLS", "http1", "http-mutual", 20000, 1000, 0.80, against=BETTER),
    Row("h1-script", "  and with script (HAProxy: Lua action)", "http1", "http-script", 20000, 1000, 0.60,
        subjects=SCRIPTS),
    Row("routes-10", "1000 HTTP/1.1 requests over 10 routes", "http1", "routes-10", 20000, 1000, against=BETTER),
    Row("routes-1000", "  the same over 1000 routes", "http1", "routes-1000", 20000, 1000, 1.05, base="routes-10",
        against=("lb",)),
    Row("h2", "1000 HTTP/2 requests over TLS, 1 KB", "http2", "http", 20000, 1000, 0.85, connections=10,
        against=BETTER),
    Row("h2-100k", "  the same, 100 KB", "http2", "http", 4000, 1000, 0.85, connections=10, against=BETTER,
        size=LARGE, subjects=WITH_64K),
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


def ratio_to_best(row, samples, names, base=None):
    """lb against the best of `names`, in the same row or in `base`: None unless all of them have figures.
    `samples` maps (row name, subject name) to a figure for each round."""
    others = [(base or row.name, name) for name in names]
    if not all(other in samples for other in others):
        return None
    return ratio_between(samples, (row.name, "lb"), min(others, key=lambda other: statistics.median(samples[other])))


def ratio(row, samples):
    """lb against the other side of its gate."""
    return ratio_to_best(row, samples, row.against, row.base)


def gate_met(row, samples):
    """None without a gate, or without the figures for it."""
    value = ratio(row, samples)
    if row.mode == "idle":
        value = statistics.median(samples[row.name, "lb"]) if (row.name, "lb") in samples else None
    return None if row.gate is None or value is None else value <= row.gate
