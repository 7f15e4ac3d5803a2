"""Reserved ports, for servers that cannot report which free port they chose, or that restart on the same one."""

from __future__ import annotations

import socket


def reserve_port(host: str) -> socket.socket:
    """Return a socket bound to a free port of `host`; until it is closed, no other program gets that port by chance.

    The socket never listens. With `SO_REUSEADDR` on both sockets, Linux lets a server bind and listen on the same port
    (socket(7): unless a socket listens there already); nginx and Go's `net.Listen` set it. While no server listens,
    connections are refused. The kernel never picks a bound port for `bind` to port 0 or for `connect`.
    """
    bound = socket.socket()
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, 0))
    except BaseException:
        bound.close()
        raise
    return bound
