"""What a review of the http listeners suspected: each was seen to fail once."""
import socket
import threading
import time

import pytest

from harness import client, config, web
from harness.ports import free_port
from harness.waiting import until

SLEEPY = "function on_request(req) lb.sleep(0.5) return req.conn.address ~= '' and req.conn.listener == 'main' end"
LATE = "function on_request(req) return true end function on_response(res) lb.sleep(0.3) return true end"


def serving(origin, handler=web.telling, body=True):
    return origin(web.serve(handler, body))


def held(event):
    """Answers once `event` is set."""
    def handler(message, *_):
        event.wait(10)
        return web.telling(message)
    return handler


# --- reloads ----------------------------------------------------------------------------------------------------------

def test_a_request_that_a_script_still_looks_at_survives_another_one_that_is_decided_after_a_reload(lb, origin):
    port, behind = free_port(), serving(origin)
    text = web.plain(port, behind, h2c="yes", script=lb.file("policy.lua", SLEEPY))
    lb.start(text)
    with web.open_two(port) as two:
        first = two.begin(path="/first")
        time.sleep(0.1)
        lb.reload()
        second = two.begin(path="/second")
        assert two.answer(first).status == two.answer(second).status == 200


def test_on_response_knows_the_connection_also_after_a_reload(lb, origin):
    go, port = threading.Event(), free_port()
    script = """function on_request(req) return true end
function on_response(res) res.headers['x-from'] = res.conn.address .. ' ' .. res.conn.listener end"""
    lb.start(web.plain(port, serving(origin, held(go)), h2c="yes", script=lb.file("policy.lua", script)))
    with web.open_two(port) as two:
        first = two.begin(path="/first")
        time.sleep(0.1)
        lb.reload()
        second = two.begin(path="/second")
        time.sleep(0.1)
        go.set()
        for stream in (first, second):
            assert two.answer(stream)["x-from"] == "127.0.0.1 main"


def test_a_kept_connection_outlives_any_number_of_reloads(lb, origin):
    port = free_port()
    lb.start(web.plain(port, serving(origin), script_timeout="1ms",
                       script=lb.file("policy.lua", "function on_authorize() return true end")))
    with web.open_wire(port) as wire:
        for _ in range(10):
            assert wire.ask().status == 200
            lb.reload()
        assert wire.ask().status == 200


def test_what_a_script_attached_to_a_connection_goes_with_the_script(lb, origin):
    port, behind = free_port(), serving(origin)
    script = "function on_authorize(conn) return lb.allow{ headers = { ['x-role'] = 'admin' }, server = 's0' } end"
    lb.start(web.plain(port, behind, script=lb.file("policy.lua", script)))
    with web.open_wire(port) as wire:
        wire.ask()
        lb.reload(web.plain(port, f"other {behind.address}"))
        assert wire.ask().status == 200
    assert [message["x-role"] for message in behind.received] == ["admin", None]


def test_what_an_overtaken_script_has_put_into_a_request_goes_with_it(lb, origin):
    port, behind = free_port(), serving(origin)
    before = """function on_request(req)
  req.headers['x-role'] = 'admin'
  req.headers:remove('x-asked')
  lb.sleep(0.5)
  return true
end"""
    lb.start(web.plain(port, behind, script=lb.file("policy.lua", before)))
    with web.open_wire(port) as wire:
        wire.send(web.request("GET", "/", ("x-asked", "yes")))
        time.sleep(0.1)
        lb.file("policy.lua", "function on_request(req) return true end")
        lb.reload()
        assert wire.answer().status == 200
    assert [(message["x-role"], message["x-asked"]) for message in behind.received] == [(None, "yes")]


def test_a_server_that_sends_interim_answers_without_end_is_given_up(lb, origin):
    def early(*_):
        return b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" * 1000
    port = free_port()
    lb.start(web.plain(port, serving(origin, early)))
    with web.open_wire(port) as wire:
        wire.send(web.request())
        assert wire.answer().status == 502
    assert lb.wait_connection(listener="main")["reason"] == "answer-invalid"


def test_a_kept_connection_of_a_removed_listener_gets_one_more_answer_and_ends(lb, origin):
    port, behind = free_port(), serving(origin)
    text = web.plain(port, behind, script=lb.file("policy.lua", "function on_request(req) return true end"))
    lb.start(text)
    with web.open_wire(port) as wire:
        assert wire.ask().status == 200
        lb.reload(web.plain(free_port(), behind, name="other"))
        answer = wire.ask()
        assert answer.status == 200 and answer["connection"] == "close" and wire.is_over()


def test_a_connection_that_is_decided_again_while_its_listener_turns_to_tcp_is_refused(lb, origin):
    port, behind = free_port(), serving(origin)
    text = web.plain(port, behind, script=lb.file("policy.lua", "function on_authorize(conn) return true end"))
    lb.start(text)
    with web.open_wire(port) as wire:
        assert wire.ask().status == 200
        lb.file("policy.lua", "function on_authorize(conn) lb.sleep(0.5) return true end")
        lb.reload()
        wire.send(web.request("GET", "/waits"))
        time.sleep(0.1)
        lb.reload(config.plain(port, behind))
        assert wire.answer().status == 403
    assert [message.target for message in behind.received] == ["/"]


# --- what a client can make of it -------------------------------------------------------------------------------------

@pytest.mark.parametrize("protocol", ["h2c", "H2C", "websocket, h2c", "HTTP/2.0", "h2"])
def test_no_tunnel_is_made_for_another_http(lb, origin, protocol):
    def switch(message, wire, _):
        if message["upgrade"] is None:
            return web.telling(message)
        wire.send(f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: {protocol}\r\nConnection: Upgrade\r\n\r\n")
        wire.rest()
        return None
    port = free_port()
    lb.start(web.plain(port, serving(origin, switch)))
    with web.open_wire(port) as wire:
        answer = wire.ask("GET", "/", ("Upgrade", protocol), ("Connection", "Upgrade"), ("HTTP2-Settings", "AAMAAABkAAQAAP__"))
        assert answer.status == 200


def answers_that_are_whole_but_not_taken(lb, port):
    """Connections on which lb has the whole answer while the client takes nothing; the last one's barely fits into buffers."""
    for number, size in enumerate(range(200000, 6000000, 100000), 1):
        with web.Wire(client.connect(port, receive_buffer=16384)) as wire:
            wire.send(web.request("GET", f"/{size}"))
            for _ in range(20):
                if len(lb.connections(listener="main")) == number:
                    break
                time.sleep(0.01)
            else:
                return
            yield wire, size


def sized(message, *_):
    return web.reply(b"x" * int(message.target[1:]))


def test_a_client_that_ends_while_the_last_answer_is_on_its_way_gets_all_of_it(lb, origin):
    port = free_port()
    lb.start(web.plain(port, serving(origin, sized)))
    for wire, size in answers_that_are_whole_but_not_taken(lb, port):
        wire.sock.shutdown(socket.SHUT_WR)
        time.sleep(0.03)
        assert len(wire.answer().body) == size


def test_the_time_to_the_next_request_begins_when_the_answer_has_been_taken(lb, origin):
    port = free_port()
    lb.start(web.plain(port, serving(origin, sized), timeout_keep_alive="1ms"))
    for wire, size in answers_that_are_whole_but_not_taken(lb, port):
        time.sleep(0.3)
        assert len(wire.answer().body) == size


def test_a_stream_whose_answer_waits_for_its_window_outlives_the_time_between_requests(lb, origin):
    body, port = b"x" * 60000, free_port()
    lb.start(web.plain(port, serving(origin, lambda *_: web.reply(body)), h2c="yes", timeout_keep_alive="100ms"))
    with web.open_two(port, window=30000) as two:
        two.grant = False
        stream = two.begin()
        while sum(map(len, two.streams[stream].parts)) < 30000:
            assert two.pump()
        until(lambda: lb.connections(listener="main"), "the line")
        time.sleep(0.5)
        two.h2.increment_flow_control_window(60000, stream)
        two.h2.increment_flow_control_window(60000)
        two.flush()
        assert two.answer(stream).body == body


def test_an_answer_that_on_response_has_held_goes_on_over_http_2(lb, origin):
    body, port = b"x" * 300000, free_port()
    lb.start(web.plain(port, serving(origin, lambda *_: web.reply(body)), h2c="yes", timeout_idle="2s",
                       script=lb.file("policy.lua", LATE), backend_keys={"timeout_server": "2s"}))
    for window in range(65000, 300000, 7000):
        with web.open_two(port, window=window) as two:
            assert len(two.ask().body) == len(body)


def test_a_client_that_has_ended_before_the_tunnel_is_there_ends_it(lb, origin):
    def switch(_, wire, origin):
        time.sleep(0.2)
        wire.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: line\r\nConnection: Upgrade\r\n\r\n")
        origin.rest = wire.rest()
        wire.send(b"bye")
    port, behind = free_port(), serving(origin, switch)
    lb.start(web.plain(port, behind))
    with web.open_wire(port) as wire:
        wire.send(web.request("GET", "/", ("Upgrade", "line"), ("Connection", "Upgrade")))
        wire.sock.shutdown(socket.SHUT_WR)
        assert wire.answer().status == 101
        assert wire.rest() == b"bye"


def test_a_tunnel_of_which_one_side_has_ended_does_not_stay_for_ever(lb, origin):
    def switch(_, wire, origin):
        wire.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: line\r\nConnection: Upgrade\r\n\r\n")
        wire.sock.recv(1)
        time.sleep(5)
    port, behind = free_port(), serving(origin, switch)
    lb.start(web.plain(port, behind, timeout_idle="0", timeout_half_closed="200ms"))
    with web.open_wire(port) as wire:
        wire.send(web.request("GET", "/", ("Upgrade", "line"), ("Connection", "Upgrade")))
        assert wire.answer().status == 101
        wire.sock.shutdown(socket.SHUT_WR)
        line = until(lambda: lb.connections(listener="main"), "its end", seconds=3)[0]
        assert line["end"] in ("timeout-idle", "timeout-half-closed")


# --- answers ----------------------------------------------------------------------------------------------------------

def test_a_304_that_a_script_turns_into_200_has_no_length_of_a_body_that_does_not_come(lb, origin):
    script = "function on_request() return true end function on_response(res) res.status = 200 end"
    port = free_port()
    lb.start(web.plain(port, serving(origin, lambda *_: b"HTTP/1.1 304 Not Modified\r\nContent-Length: 1234\r\n\r\n"),
                       script=lb.file("policy.lua", script)))
    with web.open_wire(port) as wire:
        for _ in range(2):
            answer = wire.ask()
            assert answer.status == 200 and answer.body == b""


def test_an_early_answer_to_http_1_0_ends_although_the_request_has_not(lb, origin):
    port = free_port()
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    lb.start(web.plain(port, serving(origin, lambda *_: answer, body=False)))
    with web.open_wire(port) as wire:
        wire.send("POST / HTTP/1.0\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nsome")
        assert wire.answer().body == b"hello"


def test_a_server_that_stalls_after_a_client_did_is_found_out_without_a_time_for_clients(lb, origin):
    body, port, go = b"x" * (4 << 20), free_port(), threading.Event()

    def stall(_, wire, __):
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (len(body) + 1), body)
        go.wait(10)
    lb.start(web.plain(port, serving(origin, stall), timeout_idle="0", backend_keys={"timeout_server": "300ms"}))
    with web.Wire(client.connect(port, receive_buffer=16384)) as wire:
        wire.send(web.request())
        wire.head()
        time.sleep(1)
        with pytest.raises((web.Cut, ConnectionError, socket.timeout)) as cut:
            wire.sock.settimeout(4)
            wire.exactly(len(body) + 1)
        assert not isinstance(cut.value, socket.timeout)
    go.set()


def test_an_invalid_rest_of_a_request_that_is_answered_ends_the_connection_at_once(lb, origin):
    port = free_port()
    lb.start(web.plain(port, serving(origin, lambda *_: web.reply(b"early"), body=False)))
    with web.open_wire(port) as wire:
        wire.send("POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        assert wire.answer().body == b"early"
        wire.send("zzz\r\n")
        wire.sock.settimeout(4)
        assert wire.is_over()


def test_a_further_try_after_a_reload_leaves_no_connection_that_nobody_looks_after(lb, origin):
    go = threading.Event()

    def give_up(*_):
        go.wait(10)
    port, bad, good = free_port(), serving(origin, give_up), serving(origin)
    lb.start(web.plain(port, bad, good, backend_keys={"timeout_pool": "100ms"}))
    with web.open_wire(port) as wire:
        wire.send(web.request())
        bad.wait_accepted(1)
        lb.reload()
        go.set()
        assert wire.answer().status == 200
        good.wait_idle()


def test_a_server_that_on_authorize_has_chosen_is_none_of_the_backend_that_on_request_chooses(lb, origin):
    port, one, two = free_port(), serving(origin, web.named("one")), serving(origin, web.named("two"))
    script = """function on_authorize(conn) return lb.allow{ server = 's0' } end
function on_request(req) if req.path == '/b' then return lb.allow{ backend = 'b' } end return true end"""
    lb.start(web.plain(port, one, script=lb.file("policy.lua", script)) + config.backend("b", f"t0 {two.address}"))
    with web.open_wire(port) as wire:
        assert wire.ask("GET", "/a").body == b"one"
        assert wire.ask("GET", "/b").body == b"two"
