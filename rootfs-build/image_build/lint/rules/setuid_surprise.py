"""A setuid program or a file that anybody may write is a way to become root in the guest."""
import stat

PREVENTS = "a setuid program or a world-writable file that nobody asked for"
# What Debian's own packages bring, and where: the same name elsewhere is a surprise.
KNOWN = {f"/usr/bin/{name}" for name in ("su", "mount", "umount", "passwd", "chsh", "chfn", "newgrp", "gpasswd", "chage", "expiry", "wall", "write", "dotlockfile", "crontab",
                                         "ssh-agent", "fusermount", "fusermount3", "pkexec", "sudo", "bsd-write")} | {
    "/usr/sbin/unix_chkpwd", "/usr/lib/openssh/ssh-keysign", "/usr/lib/dbus-1.0/dbus-daemon-launch-helper", "/usr/lib/polkit-1/polkit-agent-helper-1",
    "/usr/lib/chromium/chrome-sandbox", "/usr/lib/x86_64-linux-gnu/utempter/utempter", "/usr/libexec/utempter/utempter", "/usr/lib/xorg/Xorg.wrap"}
STICKY = stat.S_ISVTX


def faults(subject):
    for entry in subject.tree.entries:
        if entry.is_file and entry.mode & (stat.S_ISUID | stat.S_ISGID):
            if entry.path not in KNOWN and f"/usr{entry.path}" not in KNOWN:    # /bin where /usr is not merged
                yield entry.path, f"is {'setuid' if entry.mode & stat.S_ISUID else 'setgid'} (mode {stat.S_IMODE(entry.mode):04o})"
            if entry.mode & 0o022:
                yield entry.path, f"is setuid or setgid and can be overwritten (mode {stat.S_IMODE(entry.mode):04o})"
        elif entry.is_file and entry.mode & 0o002:
            yield entry.path, f"anybody may write it (mode {stat.S_IMODE(entry.mode):04o})"
        elif entry.is_directory and entry.mode & 0o002 and not entry.mode & STICKY:
            yield entry.path, f"anybody may replace what is in it (mode {stat.S_IMODE(entry.mode):04o}, not sticky)"
