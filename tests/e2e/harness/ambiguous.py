"""Requests in HTTP/1 that no server in front of an authorization may take, and odd ones that it must take."""
from harness.http1 import request

TAIL = b"GET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n"
CHUNKS = b"5\r\nhello\r\n0\r\n\r\n"


class Refused:
    """A request that must be refused. With `begun` its head is good and may reach the server with no more than `begun` of
    its body; else no byte of it may."""

    def __init__(self, name, raw, status=400, begun=None):
        self.name, self.raw, self.status, self.begun = name, raw, status, begun


def get(*lines, **keys):
    return request("/bad", *lines, **keys)


def post(*lines, body=b"hello", **keys):
    return request("/bad", *lines, method="POST", **keys) + body


def line(text):
    """A request whose first line is this."""
    return text.encode("latin-1") + b"\r\nHost: a.test\r\n\r\n"


def lengths():
    values = ["", "five", "+5", "-5", "5 5", "0x5", "5_0", "5e0", "5.0", "5,", ",5", "5,5", "5, 5", "5,6", "5;", "5h", "\"5\"",
              "\u00b2", "\u00a05", "9223372036854775808", "18446744073709551621", "9" * 40]
    for value in values:
        yield Refused(f"Content-Length {value!r}", post(f"Content-Length: {value}"))
    for value in ("5\x0b", "\x0c5", "5\x00", "\x005", "5\x1f", "5\x7f"):
        yield Refused(f"Content-Length with a control {value!r}", post(f"Content-Length: {value}"))
    yield Refused("two equal lengths", post("Content-Length: 5", "Content-Length: 5"))
    yield Refused("two lengths in different case", post("Content-Length: 5", "content-length: 5"))
    yield Refused("two different lengths", post("Content-Length: 5", "Content-Length: 0"))
    yield Refused("two lengths, one of them empty", post("Content-Length: 5", "Content-Length:"))
    yield Refused("two lengths of HTTP/1.0", post("Content-Length: 5", "Content-Length: 6", version="HTTP/1.0"))
    for name in ("Content_Length", "Content.Length", "CONTENT_LENGTH", "content_length"):
        yield Refused(f"{name} alone", post(f"{name}: 5"))
        yield Refused(f"{name} beside Content-Length", post("Content-Length: 0", f"{name}: 5"))


def both_lengths():
    length, coding = "Content-Length: 5", "Transfer-Encoding: chunked"
    for version in ("HTTP/1.1", "HTTP/1.0"):
        yield Refused(f"length, then coding in {version}", post(length, coding, body=CHUNKS, version=version))
        yield Refused(f"coding, then length in {version}", post(coding, length, body=CHUNKS, version=version))
    yield Refused("length 0 and a coding", post("Content-Length: 0", coding, body=CHUNKS))
    yield Refused("length, coding, length", post(length, coding, length, body=CHUNKS))
    yield Refused("coding, length, coding", post(coding, length, coding, body=CHUNKS))
    yield Refused("length and a coding in odd case", post(length, "TRANSFER-ENCODING: Chunked", body=CHUNKS))
    yield Refused("length and an unknown coding", post(length, "Transfer-Encoding: identity"), (400, 501))
    yield Refused("length and a folded coding", post(length, "Transfer_Encoding: chunked", body=CHUNKS))
    yield Refused("coding and a folded length", post(coding, "Content_Length: 5", body=CHUNKS))
    yield Refused("both named in Connection", post(length, coding, "Connection: content-length, transfer-encoding", body=CHUNKS))


def codings():
    for value in ("xchunked", "chunkedx", "identity", "gzip", "cow", "'chunked'", "chunked_"):
        yield Refused(f"Transfer-Encoding {value!r}", post(f"Transfer-Encoding: {value}", body=CHUNKS), 501)
    values = ["", ",", "chunked,", ",chunked", "chunked, identity", "identity, chunked", "chunked,chunked", "chunked, chunked",
              "gzip, chunked", "chunked, gzip", "cow, chunked", "chunked, cow", "\"chunked\"", "chunked;q=1", "chunked;",
              "chunk ed", "chunked chunked", "chun\tked", "\u00a0chunked", "chunked\u0085", "chun\u0212ed".encode().decode("latin-1")]
    for value in values:
        yield Refused(f"Transfer-Encoding {value!r}", post(f"Transfer-Encoding: {value}", body=CHUNKS))
    for value in ("\x0bchunked", "chunked\x0b", "\x0cchunked", "chunked\x00", "\x00chunked", "chunked\x08", "ch\runked",
                  "chunked\r", "\n chunked", "\r\n chunked", "\r\n\tchunked", "chunked\n", "chunked\r\n , identity"):
        yield Refused(f"Transfer-Encoding with a control {value!r}", post(f"Transfer-Encoding: {value}", body=CHUNKS))
    chunked = "Transfer-Encoding: chunked"
    yield Refused("two equal codings", post(chunked, chunked, body=CHUNKS))
    yield Refused("chunked, then identity", post(chunked, "Transfer-Encoding: identity", body=CHUNKS), (400, 501))
    yield Refused("identity, then chunked", post("Transfer-Encoding: identity", chunked, body=CHUNKS), (400, 501))
    yield Refused("chunked, then an empty coding", post(chunked, "Transfer-Encoding:", body=CHUNKS))
    yield Refused("a coding of HTTP/1.0", post(chunked, body=CHUNKS, version="HTTP/1.0"))
    yield Refused("a coding of HTTP/1.0 that stays", post(chunked, "Connection: keep-alive", body=CHUNKS, version="HTTP/1.0"))
    for name in ("Transfer_Encoding", "Transfer.Encoding", "TRANSFER_ENCODING"):
        yield Refused(f"{name} alone", post(f"{name}: chunked", body=CHUNKS))
    for name in ("Transfer-Encoding ", "Transfer-Encoding\t", " Transfer-Encoding", "\tTransfer-Encoding", "Transfer Encoding",
                 "Transfer-Encoding\x0b", "Transfer-Encoding\x00", "\x0bTransfer-Encoding", "Transfer-Encoding\u00a0"):
        yield Refused(f"the name {name!r}", post(f"{name}: chunked", body=CHUNKS))


def line_ends():
    yield Refused("LF ends the first line", b"GET /bad HTTP/1.1\nHost: a.test\r\n\r\n")
    yield Refused("LF ends a field", b"GET /bad HTTP/1.1\r\nHost: a.test\nX: y\r\n\r\n")
    yield Refused("LF ends the last field", b"GET /bad HTTP/1.1\r\nHost: a.test\n\r\n")
    yield Refused("LF ends the head", b"GET /bad HTTP/1.1\r\nHost: a.test\r\n\n")
    yield Refused("LF ends everything", b"GET /bad HTTP/1.1\nHost: a.test\n\n")
    yield Refused("CR ends the first line", b"GET /bad HTTP/1.1\rHost: a.test\r\n\r\n")
    yield Refused("CR ends a field", b"GET /bad HTTP/1.1\r\nHost: a.test\rX: y\r\n\r\n")
    yield Refused("CR ends the head", b"GET /bad HTTP/1.1\r\nHost: a.test\r\n\rX")
    yield Refused("CR CR LF ends a field", b"GET /bad HTTP/1.1\r\nHost: a.test\r\r\n\r\n")
    yield Refused("CR CR LF ends the head", b"GET /bad HTTP/1.1\r\nHost: a.test\r\n\r\r\n")
    yield Refused("LF CR ends the head", b"GET /bad HTTP/1.1\r\nHost: a.test\r\n\n\r")
    yield Refused("LF before the request", b"\n" + get())
    yield Refused("CR before the request", b"\r" + get())
    yield Refused("a blank before the request", b" " + get())
    yield Refused("a blank line before the request", b" \r\n" + get())
    yield Refused("three empty lines before the request", b"\r\n\r\n\r\n" + get())
    yield Refused("NUL before the request", b"\x00" + get())


def fields():
    for name in ("", " ", "X ", "X\t", "X\x0b", "X\x00", "\x00X", "X\x7f", "X\x80", "X\u00ff", "X y", "X(", "X)", "X/y", "X@", "X[",
                 "X]", "X{", "X}", "X\"", "X,", "X;", "X<", "X>", "X?", "X=", "X\\", "\ufeffX".encode().decode("latin-1")):
        yield Refused(f"the field name {name!r}", get(f"{name}: value"))
    for code in (0, 1, 8, 11, 12, 13, 27, 31, 127):
        yield Refused(f"the byte {code} in a value", get(f"X: a{chr(code)}b"))
    yield Refused("a field without a colon", get("X"))
    yield Refused("a field that begins with a colon", get(":X: y"))
    yield Refused("a blank before the first field", b"GET /bad HTTP/1.1\r\n Host: a.test\r\n\r\n")
    yield Refused("a tab before the first field", b"GET /bad HTTP/1.1\r\n\tX: y\r\nHost: a.test\r\n\r\n")
    yield Refused("a folded value", get("X: a\r\n b"))
    yield Refused("a value folded by a tab", get("X: a\r\n\tb"))
    yield Refused("a value folded into an empty line", get("X: a\r\n \r\nY: b"))
    yield Refused("a field folded into Content-Length", post("X: a\r\n Content-Length: 5"))
    yield Refused("101 fields", get(*(f"X{number}: y" for number in range(100))), 431)
    yield Refused("a head of 40 KB", get("X: " + "y" * 40000), 431)
    yield Refused("a name of 40 KB", get("X" * 40000 + ": y"), 431)
    yield Refused("a thousand fields without values", get(*(f"X{number}:" for number in range(1000))), 431)


def first_lines():
    for text in ("GET", "GET /bad", "GET /bad ", "GET  /bad HTTP/1.1", "GET /bad  HTTP/1.1", "GET /bad HTTP/1.1 ", "GET /bad HTTP/1.1\t",
                 "GET\t/bad HTTP/1.1", "GET /bad\tHTTP/1.1", "GET\x0b/bad HTTP/1.1", "GET /bad HTTP/1.1 x", " GET /bad HTTP/1.1",
                 "GET /a /bad HTTP/1.1", " /bad HTTP/1.1", "GET HTTP/1.1", "GET  HTTP/1.1", "G\x00T /bad HTTP/1.1", "G(T /bad HTTP/1.1",
                 "GET: /bad HTTP/1.1", "G\u00c9T /bad HTTP/1.1", "\"GET\" /bad HTTP/1.1", "HTTP/1.1 200 OK",
                 "GET /bad http/1.1", "GET /bad Http/1.1", "GET /bad HTTP/1", "GET /bad HTTP/1.", "GET /bad HTTP/.1",
                 "GET /bad HTTP/1.10", "GET /bad HTTP/01.1", "GET /bad HTTP/11.1", "GET /bad HTTP/1,1", "GET /bad HTTP 1.1",
                 "GET /bad HTTP1.1", "GET /bad HTTP/+1.1", "GET /bad HTTP/1.1x", "GET /bad HTTP/ 1.1", "GET /bad HTTPS/1.1",
                 "GET /bad HTP/1.1", "GET /bad XTTP/1.1", "GET /bad RTSP/1.0", "GET /bad ICE/1.0", "GET /bad HTTP/1.1\x00"):
        yield Refused(f"the first line {text!r}", line(text))
    for text in ("GET /bad HTTP/0.9", "GET /bad HTTP/1.2", "GET /bad HTTP/1.9", "GET /bad HTTP/2.0", "GET /bad HTTP/3.0",
                 "GET /bad HTTP/0.0", "GET /bad HTTP/9.9"):
        yield Refused(f"the first line {text!r}", line(text), 505)
    for text in ("get /bad HTTP/1.1", "Get /bad HTTP/1.1", "GETT /bad HTTP/1.1", "GE /bad HTTP/1.1", "FOO /bad HTTP/1.1",
                 "X" * 40 + " /bad HTTP/1.1", "CONNECT a.test:443 HTTP/1.1", "CONNECT /bad HTTP/1.1", "DESCRIBE /bad HTTP/1.1"):
        yield Refused(f"the first line {text!r}", line(text), 501)
    yield Refused("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (400, 501, 505))
    yield Refused("a TLS ClientHello", b"\x16\x03\x01\x00\x05hello" * 9)
    yield Refused("a PROXY header", b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + get(), (400, 501))


def targets():
    for target in ("#", "/a#b", "/?a#b", "/\x00", "/a\x00b", "/\x01", "/\x7f", "/\x80", "/\u00e4", "/a\x0bb", "/a\x0cb", "/a\rb",
                   "/%", "/a%2", "/a%zz", "/a%0", "/%00", "/a%00b", "/?%", "/?a=%4", "/?\x00", "/?\x80", "/a%2fb", "/a%2Fb",
                   "/a%5cb", "/a\\b", "/..", "/../bad", "/a/../../bad", "/%2e%2e/bad", "/a/%2e%2e/%2E./bad", "/a/..%2fbad",
                   "/a/..;/bad", "/a/..;x=y/bad", "/a/%2e%2e;/bad", "/;x/bad", "*", "bad", "bad/x", "?a", "a.test:80", "a.test",
                   "http:", "http:/bad", "http://", "http:///bad", "http://b.test/bad", "https://b.test/bad", "http://a.test:81/bad",
                   "http://u@a.test/bad", "http://u:p@a.test/bad", "http://a.test:0/bad", "http://a.test:/bad", "http://a.test:99999/bad",
                   "http://a.test#/bad", "http://a.test\\bad", "http://a.test/../bad", "ftp://a.test/bad", "//", "unix:/bad",
                   "httpx://a.test/bad", "http://a.test@b.test/bad", "http://a.test%2fb.test/bad", "http://[::1/bad"):
        if target != "//":
            yield Refused(f"the target {target!r}", request(target))
    yield Refused("a target of 9000 bytes", request("/" + "x" * 9000), 414)
    yield Refused("a query of 9000 bytes", request("/?" + "x" * 9000), 414)
    yield Refused("a target without end", b"GET /" + b"x" * 40000, 414)


def hosts():
    yield Refused("no Host", request("/bad", host=None))
    yield Refused("no Host but an absolute target", request("http://a.test/bad", host=None))
    yield Refused("no Host but a folded one", request("/bad", "HOST_: a.test", host=None))
    yield Refused("two equal Hosts", get("Host: a.test"))
    yield Refused("two Hosts", get("Host: b.test"))
    yield Refused("two Hosts in different case", get("hOST: b.test"))
    yield Refused("two Hosts of HTTP/1.0", get("Host: b.test", version="HTTP/1.0"))
    yield Refused("two Hosts and an absolute target", request("http://a.test/bad", "Host: a.test"))
    for host in ("", ",", "a.test, b.test", "a.test b.test", "u@a.test", "u:p@a.test", "@a.test", "a.test@", "a.test/", "a.test/bad",
                 "/", "a.test?x", "a.test#x", "a.test\\", "a.test:", "a.test:0", "a.test:00080", "a.test:65536", "a.test:-1", "a.test:+80",
                 "a.test:80x", "a.test:x", "a.test:80:80", "a.test: 80", ":80", ".", "..", ".a.test", "a..test", "a.test..",
                 "-a.test", "a-.test", "a%2etest", "%61.test", "*.test", "a.t\u00e4st", "a\x00.test", "a\t.test", "http://a.test", "[::1",
                 "::1", "[::1]x", "[::1]:", "[gg::]", "[::1%25lo]", "[v1.x]", "[]", "1.2.3", "1.2.3.256", "01.2.3.4",
                 "127.1", "a" * 64 + ".test", "a." * 130 + "test", "\"a.test\"", "<a.test>"):
        yield Refused(f"the host {host!r}", request("/bad", host=host))


def chunks():
    def body(name, raw, begun=b"", status=400):
        return Refused(f"chunks: {name}", request("/begun", "Transfer-Encoding: chunked", method="POST") + raw, status, begun)
    end = b"\r\n0\r\n\r\n"
    for size in (b"", b" ", b"\t", b"g", b"5 ", b" 5", b"5\t", b"5 ;x", b"5 ;x=y", b"5\t;x", b"0x5", b"0X5", b"+5", b"-5", b"-1", b"5_0", b"5,",
                 b"5.0", b"5h", b"\"5\"", b"5 5", b"\x005", b"5\x00", b"5\x0b", b"5\x0c;x", b";x", b"5\xa0", b"\xef\xbb\xbf5", b"5;a\x00b", b"5;\x7f",
                 b"5;a\x0bb", b"5;a\rb", b"5;a\nb", b"5;a=\"\n\"", b"5\r", b"5;\r", b"10000000000000005", b"00000000000000005",
                 b"FFFFFFFFFFFFFFFF", b"8000000000000000", b"fffffffffffffffffffff"):
        yield body(f"the size {size!r}", size + b"\r\nhello" + end)
    yield body("LF ends a size", b"5\nhello" + end)
    yield body("LF ends an extension", b"5;x\nhello" + end)
    yield body("CR ends a size", b"5\rhello" + end)
    yield body("LF ends the data", b"5\r\nhello\n0\r\n\r\n", b"hello")
    yield body("CR ends the data", b"5\r\nhello\r0\r\n\r\n", b"hello")
    yield body("nothing ends the data", b"5\r\nhello0\r\n\r\n", b"hello")
    yield body("the data is longer than the size", b"5\r\nhellos" + end, b"hello")
    yield body("the data is shorter than the size", b"5\r\nhell" + end + TAIL, b"hell\r")
    yield body("an empty line between chunks", b"5\r\nhello\r\n\r\n0\r\n\r\n", b"hello")
    yield body("a second size is malformed", b"5\r\nhello\r\n0x5\r\nhello" + end, b"hello")
    yield body("a third size has a blank", b"5\r\nhello\r\n5\r\nworld\r\n0 \r\n\r\n", b"helloworld")
    yield body("extensions of 40 KB", b"5;" + b"x" * 40000 + b"\r\nhello" + end, b"", 431)
    yield body("LF ends the last chunk", b"5\r\nhello\r\n0\n\r\n", b"hello")
    yield body("LF ends the body", b"5\r\nhello\r\n0\r\n\n", b"hello")
    yield body("CR CR LF ends the body", b"5\r\nhello\r\n0\r\n\r\r\n", b"hello")
    yield body("CR and something else ends the body", b"5\r\nhello\r\n0\r\n\rX", b"hello")
    yield body("the last size is negative", b"5\r\nhello\r\n-0\r\n\r\n", b"hello")
    for trailer in (b"Content-Length: 5", b"Transfer-Encoding: chunked", b"content_length: 5", b"Transfer_Encoding: chunked",
                    b" X: y", b"\tX: y", b"X : y", b": y", b"X", b"X: \x00", b"X: a\rb", b"X: a\nY: b", b"X: a\r\n b", b"X\x00: y", b"X(: y"):
        yield body(f"the trailer {trailer!r}", b"5\r\nhello\r\n0\r\n" + trailer + b"\r\n\r\n", b"hello")
    yield body("trailers of 40 KB", b"0\r\nX: " + b"y" * 40000 + b"\r\n\r\n", b"", 431)
    yield body("101 trailers", b"0\r\n" + b"X: y\r\n" * 101 + b"\r\n", b"", 431)


REFUSED = [one for make in (lengths, both_lengths, codings, line_ends, fields, first_lines, targets, hosts, chunks) for one in make()]


class Taken:
    """An odd but good request: what the server must get of it, once."""

    def __init__(self, name, raw, target=b"/good", body=b"", fields=(), absent=(), trailers=(), method=b"GET"):
        self.name, self.raw, self.target, self.body, self.method = name, raw, target, body, method
        self.fields, self.absent, self.trailers = dict(fields), absent, list(trailers)


def taken_bodies():
    def chunked(name, raw, body=b"hello", **keys):
        head = request("/good", "Transfer-Encoding: chunked", method="POST")
        return Taken(f"chunks: {name}", head + raw, body=body, method=b"POST", **keys)
    yield chunked("none", b"0\r\n\r\n", b"")
    yield chunked("one", CHUNKS)
    yield chunked("two", b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n")
    yield chunked("sizes in lower case", b"a\r\nhellohello\r\n0\r\n\r\n", b"hellohello")
    yield chunked("sizes in upper case", b"A\r\nhellohello\r\n0\r\n\r\n", b"hellohello")
    yield chunked("sizes with zeros in front", b"0005\r\nhello\r\n000\r\n\r\n")
    yield chunked("an extension", b"5;x\r\nhello\r\n0\r\n\r\n")
    yield chunked("extensions with values", b"5;x=y;z=\"a;b\"\r\nhello\r\n0;end\r\n\r\n")
    yield chunked("line ends as data", b"4\r\n\r\n\r\n\r\n0\r\n\r\n", b"\r\n\r\n")
    yield chunked("a request as data", b"%x\r\n%s\r\n0\r\n\r\n" % (len(TAIL), TAIL), TAIL)
    yield chunked("trailers", b"5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n", trailers=[b"x-sum: 1"])
    yield chunked("trailers that lb does not pass on", b"5\r\nhello\r\n0\r\nX-Sum: 1\r\nHost: b.test\r\nAuthorization: x\r\n\r\n",
                  trailers=[b"x-sum: 1"])
    for value in ("Chunked", "CHUNKED", "\tchunked", "  chunked  ", "chunked "):
        yield Taken(f"Transfer-Encoding {value!r}", post(f"Transfer-Encoding:{value}", body=CHUNKS).replace(b"/bad", b"/good"),
                    body=b"hello", method=b"POST")
    yield Taken("a length with zeros in front", request("/good", "Content-Length: 0005", method="POST") + b"hello", body=b"hello",
                method=b"POST", fields={"content-length": "5"})
    yield Taken("a length between blanks", request("/good", "Content-Length: \t 5  ", method="POST") + b"hello", body=b"hello",
                method=b"POST", fields={"content-length": "5"})
    yield Taken("a length in lower case", request("/good", "content-length:5", method="PUT") + b"hello", body=b"hello", method=b"PUT")
    yield Taken("the length 0", request("/good", "Content-Length: 0", method="POST"), method=b"POST")
    yield Taken("GET with a body", request("/good", body=b"hello"), body=b"hello")
    yield Taken("DELETE with chunks", request("/good", "Transfer-Encoding: chunked", method="DELETE") + CHUNKS, body=b"hello", method=b"DELETE")
    yield Taken("a body that looks like a request", request("/good", method="POST", body=TAIL), body=TAIL, method=b"POST")


def taken_heads():
    yield Taken("an empty line in front", b"\r\n" + request("/good"))
    yield Taken("two empty lines in front", b"\r\n\r\n" + request("/good"))
    yield Taken("values without a blank", request("/good", "X:y"), fields={"x": "y"})
    yield Taken("values between blanks", request("/good", "X: \t y z \t "), fields={"x": "y z"})
    yield Taken("an empty value", request("/good", "X:"), fields={"x": ""})
    yield Taken("a tab within a value", request("/good", "X: a\tb"), fields={"x": "a\tb"})
    yield Taken("bytes over 0x7f in a value", request("/good", "X: \u00e4\u00ff"), fields={"x": "\u00e4\u00ff"})
    yield Taken("a name of all the characters a token may have", request("/good", "!#$%&'*+-.^_`|~0aZ: y"))
    yield Taken("a colon within a value", request("/good", "X: a: b"), fields={"x": "a: b"})
    yield Taken("HTTP/1.0", request("/good", version="HTTP/1.0"))
    yield Taken("HTTP/1.0 without Host", request("/good", version="HTTP/1.0", host=None))
    yield Taken("HTTP/1.0 that stays", request("/good", "Connection: keep-alive", version="HTTP/1.0"), absent=["keep-alive"])
    yield Taken("HTTP/1.0 with a body", request("/good", method="POST", version="HTTP/1.0", body=b"hello"), body=b"hello", method=b"POST")
    yield Taken("fields that Connection names", request("/good", "Connection: x-hop, close", "X-Hop: 1", "X-End: 2"), absent=["x-hop"],
                fields={"x-end": "2"})
    yield Taken("hop-by-hop fields", request("/good", "Keep-Alive: 1", "TE: gzip", "Proxy-Connection: close", "Proxy-Authorization: x"),
                absent=["te", "keep-alive", "proxy-connection", "proxy-authorization"])
    yield Taken("an upgrade to h2c", request("/good", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA"),
                absent=["upgrade", "http2-settings"])
    yield Taken("an upgrade to h2c behind another one", request("/good", "Connection: Upgrade, HTTP2-Settings", "Upgrade: websocket, H2C",
                "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA"), absent=["upgrade", "http2-settings"])
    yield Taken("Upgrade that Connection does not name", request("/good", "Upgrade: websocket"), absent=["upgrade"])
    yield Taken("a host in upper case", request("/good", host="A.TEST"))
    yield Taken("a host with a dot at its end", request("/good", host="a.test."))
    yield Taken("a host with a port", request("/good", host="a.test:8080"))
    yield Taken("an IPv4 address as host", request("/good", host="127.0.0.1"))
    yield Taken("an IPv6 address as host", request("/good", host="[::1]:80"))
    yield Taken("OPTIONS of the server", request("*", method="OPTIONS"), target=b"*", method=b"OPTIONS")
    yield Taken("HEAD", request("/good", method="HEAD"), method=b"HEAD")


def taken_targets():
    for sent, got in (("//good", "/good"), ("/./good", "/good"), ("/a/../good", "/good"), ("/%67ood", "/good"), ("/%7e", "/~"),
                      ("/a%3ab", "/a%3Ab"), ("/%e2%98%83", "/%E2%98%83"), ("/good/.", "/good/"), ("/good//", "/good/"), ("/good?", "/good?"),
                      ("/good?a=%2f..", "/good?a=%2f.."), ("/good?a?b", "/good?a?b"), ("/a/b/../../good?x", "/good?x"),
                      ("/good;v=1", "/good;v=1"), ("/%2e/good", "/good"), ("http://a.test/good", "/good"), ("http://A.Test:80/good?x", "/good?x"),
                      ("HTTP://a.test", "/"), ("http://a.test?x", "/?x"), ("/!$&'()*+,;=:@-._~", "/!$&'()*+,;=:@-._~")):
        yield Taken(f"the target {sent}", request(sent), target=got.encode())
    yield Taken("OPTIONS of the server in absolute form", request("http://a.test", method="OPTIONS"), target=b"*", method=b"OPTIONS")
    yield Taken("an absolute target of HTTP/1.0 without Host", request("http://a.test/good", version="HTTP/1.0", host=None))


TAKEN = [one for make in (taken_bodies, taken_heads, taken_targets) for one in make()]
