"""A setuid program or a file that anybody may write is a way to become root in the guest."""
import stat

PREVENTS = "a setuid program or a world-writable file that nobody asked for"
# What Debian's own packages bring.
KNOWN = {"su", "mount", "umount", "passwd", "chsh", "chfn", "newgrp", "gpasswd", "chage", "expiry", "unix_chkpwd", "wall", "write", "dotlockfile", "crontab",
         "ssh-agent", "ssh-keysign", "dbus-daemon-launch-helper", "fusermount", "fusermount3", "polkit-agent-helper-1", "pkexec", "sudo", "chrome-sandbox",
         "utempter", "Xorg.wrap", "bsd-write"}
KNOWN_FOLDERS = ("/usr/bin/", "/bin/", "/usr/sbin/", "/sbin/", "/usr/lib/", "/lib/", "/usr/libexec/")
STICKY = stat.S_ISVTX


def faults(subject):
    for entry in subject.tree.entries:
        name = entry.path.rsplit("/", 1)[-1]
        if entry.is_file and entry.mode & (stat.S_ISUID | stat.S_ISGID):
            if name not in KNOWN or not entry.path.startswith(KNOWN_FOLDERS):
                yield entry.path, f"is {'setuid' if entry.mode & stat.S_ISUID else 'setgid'} (mode {stat.S_IMODE(entry.mode):04o})"
            if entry.mode & 0o022:
                yield entry.path, f"is setuid or setgid and can be overwritten (mode {stat.S_IMODE(entry.mode):04o})"
        elif entry.is_file and entry.mode & 0o002:
            yield entry.path, f"anybody may write it (mode {stat.S_IMODE(entry.mode):04o})"
        elif entry.is_directory and entry.mode & 0o002 and not entry.mode & STICKY:
            yield entry.path, f"anybody may replace what is in it (mode {stat.S_IMODE(entry.mode):04o}, not sticky)"
