"""Resolves every NAME.localhost to this machine, as RFC 6761 (section 6.3) wants it.

Not every C library does. Python imports this file at its start because it stands on PYTHONPATH, so it
holds in clients that are programs of their own, too.
"""

import socket

_ask = socket.getaddrinfo


def _getaddrinfo(host, *arguments, **named):
    name = host.decode() if isinstance(host, bytes) else host
    if isinstance(name, str) and name.rstrip(".").endswith(".localhost"):
        host = "127.0.0.1"
    return _ask(host, *arguments, **named)


socket.getaddrinfo = _getaddrinfo
