"""An OCSP responder that can be told to misbehave, and what it answers, made by the cryptography package."""
import datetime
import http.server
import threading

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from harness.pki import now

GOOD, REVOKED, UNKNOWN = ocsp.OCSPCertStatus.GOOD, ocsp.OCSPCertStatus.REVOKED, ocsp.OCSPCertStatus.UNKNOWN
SIGNING = ExtendedKeyUsageOID.OCSP_SIGNING


def hours(count):
    return datetime.timedelta(hours=count)


def response(subject, issuer, status=GOOD, *, signer=None, start=-1, end=1, digest=None, by_name=False,
             signature=None):
    """DER. `signer`: an identity that signs in place of the issuer, whose certificate is put in; `start` and `end`:
    hours from now; `digest`: of the CertID."""
    encoding = ocsp.OCSPResponderEncoding.NAME if by_name else ocsp.OCSPResponderEncoding.HASH
    revoked = now() - hours(2) if status is REVOKED else None
    builder = ocsp.OCSPResponseBuilder().add_response(
        cert=subject.certificate, issuer=issuer.certificate, algorithm=digest or hashes.SHA1(), cert_status=status,
        this_update=now() + hours(start), next_update=None if end is None else now() + hours(end),
        revocation_time=revoked, revocation_reason=None)
    builder = builder.responder_id(encoding, (signer or issuer).certificate)
    if signer:
        builder = builder.certificates([signer.certificate])
    return builder.sign((signer or issuer).private_key, signature or hashes.SHA256()).public_bytes(Encoding.DER)


def access(url):
    """The extension that names a responder."""
    return x509.AuthorityInformationAccess([x509.AccessDescription(
        AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(url))])


class Responder:
    """`answer(request)` gives the DER to send, or (status, bytes); with `held` set nothing is answered until
    release(). `asked` are the serial numbers of the questions."""

    def __init__(self, answer=None):
        self.answer, self.asked, self.requests = answer, [], []
        self.gate = threading.Event()
        self.gate.set()
        responder = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments):  # pylint: disable=arguments-differ
                pass

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                responder.requests.append((self.path, dict(self.headers), body))
                request = ocsp.load_der_ocsp_request(body)
                responder.asked.append(request.serial_number)
                responder.gate.wait()
                answer = responder.answer(request)
                status, sent = answer if isinstance(answer, tuple) else (200, answer)
                try:
                    self.send_response(status)
                    self.send_header("Content-Type", "application/ocsp-response")
                    self.send_header("Content-Length", str(len(sent)))
                    self.end_headers()
                    self.wfile.write(sent)
                except OSError:
                    pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/ocsp"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def hold(self):
        self.gate.clear()

    def release(self):
        self.gate.set()

    def close(self):
        self.gate.set()
        self.server.shutdown()
        self.server.server_close()
