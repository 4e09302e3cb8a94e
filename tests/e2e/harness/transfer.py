"""Much data in both directions at once over one socket, plain or TLS, from one thread."""
import hashlib
import select
import ssl

PIECE = bytes(range(256)) * 1024
WAIT = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


def pattern_hash(total):
    digest = hashlib.sha256()
    while total > 0:
        digest.update(PIECE[:total])
        total -= len(PIECE)
    return digest.hexdigest()


def send_pattern(sock, total):
    """`total` bytes whose hash is pattern_hash(total)."""
    while total > 0:
        sock.sendall(PIECE[:total])
        total -= len(PIECE)


def duplex(sock, total, seconds=120):
    """Sends the pattern while reading as much; the hash of what came."""
    sock.setblocking(False)
    sent = got = 0
    digest, buffer = hashlib.sha256(), memoryview(bytearray(1 << 18))
    while got < total:
        moved = False
        if sent < total:
            start = sent % len(PIECE)
            try:
                sent += sock.send(memoryview(PIECE)[start:start + min(65536, total - sent, len(PIECE) - start)])
                moved = True
            except WAIT:
                pass
        try:
            count = sock.recv_into(buffer)
            assert count, f"the connection ended after {got} of {total} bytes"
            digest.update(buffer[:count])
            got += count
            moved = True
        except WAIT:
            pass
        if not moved:
            ready = select.select([sock], [sock] if sent < total else [], [], seconds)
            assert any(ready), f"nothing moved for {seconds} s after {sent} bytes out, {got} in"
    sock.setblocking(True)
    return digest.hexdigest()
