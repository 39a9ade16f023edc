"""Words to systemd, for a unit of Type=notify."""

import contextlib
import os
import socket


def notify(state: str) -> None:
    """Send a state such as READY=1 to the socket that systemd named; without one do nothing."""
    place = os.environ.get("NOTIFY_SOCKET")
    if not place:
        return
    # A name that begins with @ is of the abstract kind.
    address = f"\0{place[1:]}" if place.startswith("@") else place
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender,
    ):
        sender.sendto(state.encode(), address)
