"""The guest's link, cut from the host's side: the daemon's own end of it, taken by pidfd_getfd(2), so that no product code has to help."""
import ctypes
import os
import socket

PIDFD_GETFD = 438   # of x86-64 and arm64 alike


def daemon_sockets(scene):
    """Copies of the daemon's descriptors of this VM's link: the connections, not what listens."""
    path, pid = str(socket_path(scene)), scene.lab.daemon.api.get("/v1/daemon")["pid"]
    libc, handle = ctypes.CDLL(None, use_errno=True), os.pidfd_open(pid)
    try:
        for name in os.listdir(f"/proc/{pid}/fd"):
            copy = libc.syscall(PIDFD_GETFD, handle, int(name), 0)
            if copy < 0:
                continue   # closed meanwhile
            if is_link(copy, path):
                yield copy
            os.close(copy)
    finally:
        os.close(handle)


def is_link(descriptor, path):
    try:
        with socket.socket(fileno=os.dup(descriptor)) as each:
            return (each.family == socket.AF_UNIX and each.getsockname() == path
                    and not each.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    except OSError:   # no socket
        return False


def socket_path(scene):
    return scene.lab.daemon.run / scene.vm["id"] / "vsock_5252"


def cut(scene):
    """Both directions end at once; what was on its way is lost. Gives the number of connections that were cut."""
    number = 0
    for descriptor in daemon_sockets(scene):
        with socket.socket(fileno=os.dup(descriptor)) as each:
            each.shutdown(socket.SHUT_RDWR)
        number += 1
    return number
