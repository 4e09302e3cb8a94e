"""Configurations as text."""


def section(head, **keys):
    """A section; `_` in a key is `-` in the file (not in option.*), a list repeats the key, None leaves it out."""
    lines = [f"[{head}]"]
    for key, value in keys.items():
        if value is None:
            continue
        name = key if key.startswith("option.") else key.replace("_", "-")
        for one in value if isinstance(value, (list, tuple)) else [value]:
            lines.append(f"{name} = {one}")
    return "\n".join(lines) + "\n\n"


def backend(name, *servers, **keys):
    """servers: an origin, a port, or the text after `server =`."""
    lines = []
    for number, server in enumerate(servers):
        if hasattr(server, "address"):
            server = server.address
        elif isinstance(server, int):
            server = f"127.0.0.1:{server}"
        lines.append(server if " " in server else f"s{number} {server}")
    return section(f"backend {name}", **keys, server=lines)


def listener(name, bind, **keys):
    bind = f"127.0.0.1:{bind}" if isinstance(bind, int) else bind
    return section(f"listener {name}", bind=bind, **{"protocol": "tcp", **keys})


def plain(bind, *servers, name="main", backend_keys=None, **keys):
    """A listener without TLS and its backend."""
    return listener(name, bind, backend=name, **keys) + backend(name, *servers, **(backend_keys or {}))


def one_way(pki, bind, *servers, name="main", server="server-ecdsa", backend_keys=None, **keys):
    certificate = pki[server]
    return listener(name, bind, tls="one-way", certificate=f"{certificate.chain} {certificate.key}",
                    backend=name, **keys) + backend(name, *servers, **(backend_keys or {}))


def mutual_keys(pki, server="server-ecdsa", **keys):
    certificate = pki[server]
    return {"tls": "mutual", "certificate": f"{certificate.chain} {certificate.key}",
            "client_ca": pki.client_ca, "client_crl": pki.crl, **keys}


def mutual(pki, bind, *servers, name="main", backend_keys=None, **keys):
    """A listener with mutual TLS and its backend."""
    return listener(name, bind, backend=name, **mutual_keys(pki, **keys)) + \
        backend(name, *servers, **(backend_keys or {}))
