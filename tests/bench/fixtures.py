"""Keys and certificates of a run, made with the openssl command in a folder that goes away with the run."""
import concurrent.futures
import os
import subprocess

EXTENSIONS = """
[req]
distinguished_name = name
prompt = no
[name]
CN = bench.test
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:bench.test, DNS:*.bench.test
[one-of-many]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[client]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth
subjectAltName = URI:spiffe://bench.test/client, DNS:client.bench.test
"""
P256 = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
RSA = ["-newkey", "rsa:2048"]


def make(folder):
    """server, rsa, client-ca, client and other: NAME.crt, NAME.key, and NAME.pem with both."""
    (folder / "openssl.cnf").write_text(EXTENSIONS, encoding="ascii")
    _certificate(folder, "server", P256, "server", "/CN=bench.test")
    _certificate(folder, "rsa", RSA, "server", "/CN=bench.test")
    _certificate(folder, "client-ca", P256, "ca", "/O=Bench/CN=Bench client CA")
    _certificate(folder, "client", P256, "client", "/O=Bench/OU=payments/CN=client", issuer="client-ca")
    _certificate(folder, "other", P256, "client", "/O=Bench/OU=garage/CN=other", issuer="client-ca")


def make_names(folder, count):
    """names/nI.pem, certificate and key of nI.bench.test, and names.crt with all certificates in that order."""
    (folder / "openssl.cnf").write_text(EXTENSIONS, encoding="ascii")
    (folder / "names").mkdir()

    def make_one(number):
        name = f"n{number}.bench.test"
        subprocess.run(
            ["openssl", "req", "-x509", "-nodes", "-days", "90", "-sha256", "-config", "openssl.cnf", *P256,
             "-extensions", "one-of-many", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}",
             "-keyout", f"names/n{number}.key", "-out", f"names/n{number}.pem"],
            cwd=folder, check=True, capture_output=True, timeout=60)

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(make_one, range(count)))
    certificates = ""
    for number in range(count):
        key, both = folder / f"names/n{number}.key", folder / f"names/n{number}.pem"
        certificates += both.read_text()
        both.write_text(both.read_text() + key.read_text(), encoding="ascii")
        key.unlink()
    (folder / "names.crt").write_text(certificates, encoding="ascii")


def _certificate(folder, name, key, extensions, subject, issuer=None):
    command = ["openssl", "req", "-x509", "-nodes", "-days", "90", "-sha256", "-config", "openssl.cnf",
               *key, "-extensions", extensions, "-subj", subject, "-keyout", f"{name}.key", "-out", f"{name}.crt"]
    if issuer:
        command += ["-CA", f"{issuer}.crt", "-CAkey", f"{issuer}.key"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=60)
    both = (folder / f"{name}.crt").read_text() + (folder / f"{name}.key").read_text()
    (folder / f"{name}.pem").write_text(both, encoding="ascii")
