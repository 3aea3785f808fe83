"""A second set that was written after the rules, of what operators meet, and run before any rule was touched (docs/faultlab-unseen.md); half of them are traps, where a
neighbour's words or signs stand beside the true cause. `missed_at_first` keeps that first score, 18 of 29. Of the eleven the product had to be mended for three: a path too
long for a Unix socket was taken, a carriage return was left out of the interpreter's name, and what was known of a service's end was forgotten when its stage failed. A quiet
kernel's panic was named with less text than asked for. Seven were mistakes here: three faults broke nothing, two exit codes were guessed, two lines of evidence were never there.
"""
from lab.row import SEEN, Between, Like, Row, Script

from .kernel import late
from .services import ONCE, SERVER, program, runs, wrong_file

EVERY = {"restart": {"policy": "always", "backoff_ms": 10, "crash_loop": {"exits": 3, "window_s": 60}}}

PROGRAMS = [
    program("script-with-dos-lines", "a script's first line ends in a carriage return", "service.bad_interpreter", "<path:program>", "#!/bin/sh\r\nexit 0\r\n", 0o755,
            {"path": "<path:program>", "interpreter": Like(r"^/bin/sh\\r$")}, evidence=(Like("carriage return"),), missed_at_first=True),
    program("program-empty", "the program's file is empty", "service.not_executable", "<path:program>", "", 0o755, {"path": "<path:program>"}, evidence=(Like("neither an ELF program nor a script"),)),
    program("program-links-to-itself", "exec is a link to itself", "service.missing_binary", "<path:link>", None, 0, {"path": "<path:link>"},
            before="mkdir -p $(dirname <path:link>); ln -s <path:link> <path:link>", no_evidence=SEEN, missed_at_first=True),
    program("program-on-noexec", "the program lies on a file system that is mounted noexec", "service.not_executable", "/mnt/<word:folder>/<word:program>", None, 0,
            {"path": "/mnt/<word:folder>/<word:program>"},
            before="mkdir -p /mnt/<word:folder>; busybox mount -t tmpfs -o noexec none /mnt/<word:folder>; cp /bin/true /mnt/<word:folder>/<word:program>", evidence=(Like("Permission denied"),)),
    wrong_file("folder-is-a-file", "its working directory is a file", "service.spec_invalid", {"cwd": "/etc/passwd"}, {"key": "cwd"}, evidence=(Like("[Nn]ot a directory"),)),
    wrong_file("socket-path-too-long", "its Unix socket's path is longer than the kernel allows", "service.spec_invalid", {"ready": {"unix": {"path": "/run/" + "<word:long>/" * 20 + "s"}}},
               {"key": Like("ready")}, evidence=(Like("long|107|108"),), missed_at_first=True),
]

DEATHS = [
    runs("log-folder-closed", "an ordinary user may not write its log", "service.exited", "exec >>/var/log/<word:log>; exit 0", {"code": 2}, {"user": "nobody"},
         evidence=(Like("/var/log/<word:log>: Permission denied"),), since="stage:agent", missed_at_first=True),
    runs("temporary-folder-absent", "TMPDIR names a folder that is not there", "service.exited", "set -e; mktemp; exec sleep 1000", {"code": 1}, {"env": {"TMPDIR": "<path:folder>"}},
         evidence=(Like("<path:folder>"), Like("No such file or directory"))),
    runs("capability-withheld", "a capability that it needs was taken from it", "service.exited",
         "echo >/run/<word:file>; exec setpriv --bounding-set -chown chown nobody /run/<word:file>", {"code": 1}, evidence=(Like("Operation not permitted"),), missed_at_first=True),
    runs("file-size-limit", "it writes more than its file size limit", "service.signalled", "ulimit -f 4; exec dd if=/dev/zero of=/run/<word:file> bs=64k count=4", {"signal": "SIGXFSZ"},
        evidence=(Like("ended with SIGXFSZ"),)),
    runs("processor-time-limit", "it uses up its processor time", "service.signalled", "ulimit -S -t 1; while :; do :; done", {"signal": "SIGXCPU"}, later_s=3, evidence=(Like("ended with SIGXCPU"),)),
    runs("stack-overflow", "it calls itself without end", "service.signalled", "ulimit -s 256; exec bash -c 'f() { f; }; f'", {"signal": "SIGSEGV"}, later_s=5, evidence=(Like("ended with SIGSEGV"),)),
    runs("dependency-not-resolved", "the host name of what it needs cannot be resolved", "service.exited", "exec socat - TCP:<word:host>.internal:5432", {"code": Between(1, 255)},
         evidence=(Like("<word:host>.internal"), Like("name resolution|not known|No address")), missed_at_first=True),
    runs("dependency-refuses", "nothing listens where it connects to", "service.exited", "exec socat - TCP:127.0.0.1:<port:a>", {"code": 1}, evidence=(Like("Connection refused"),)),
    runs("preload-absent", "LD_PRELOAD names a library that is absent, and it ends of something else", "service.exited", "/bin/true; echo <word:said> >&2; exit 4", {"code": 4},
         {"env": {"LD_PRELOAD": "<path:library>.so"}}, evidence=(Like("<word:said>"),)),
    runs("child-holds-the-output", "it ends while its child holds its output open", "service.exited", "sleep 1000 & echo <word:said> >&2; exit 5", {"code": 5},
         evidence=(Like("<word:said>"),)),
    runs("terminals-used-up", "no terminal is left", "service.exited", "echo 0 >/proc/sys/kernel/pty/max; exec socat PTY PIPE", {"code": 1}, evidence=(Like("No space left on device"),)),
    runs("folder-read-only", "it writes where a file system is mounted read-only", "service.exited",
         "mkdir -p /mnt/<word:folder>; busybox mount -t tmpfs -o ro none /mnt/<word:folder>; @stamp exec touch /mnt/<word:folder>/<word:file>", {"code": 1},
         evidence=(Like("Read-only file system"),)),
    runs("address-space-limit", "its address space is limited, and the VM has memory", "service.exited", "ulimit -v 60000; exec perl -e '$x = \"a\" x (100 << 20)'", {"code": Between(1, 255)},
         evidence=(Like("Out of memory"),), missed_at_first=True),
    runs("kills-itself", "it ends itself by SIGKILL, with memory to spare", "service.signalled", "kill -9 $$", {"signal": "SIGKILL"}, {"limits": {"memory": "64M"}},
        evidence=(Like("ended with SIGKILL"),)),
    runs("process-limit-of-its-user", "its user's own limit of processes", "service.exited", "exec prlimit --nproc=3:3 setpriv --reuid=65534 --regid=65534 --clear-groups /bin/sh -c 'sleep 1000 & sleep 1000 & sleep 1000 & sleep 1000 & wait'", {"code": 2},
         evidence=(Like("[Cc]annot fork"),), missed_at_first=True),
    runs("core-pattern-altered", "it dies of a signal after somebody redirected core dumps", "service.signalled",
         "echo /tmp/<word:core> >/proc/sys/kernel/core_pattern; @stamp kill -SEGV $$", {"signal": "SIGSEGV"}, evidence=(Like("ended with SIGSEGV"),), missed_at_first=True),
    runs("signals-in-a-loop", "it dies of a signal again and again", "service.crash_loop", "kill -SEGV $$", {"first": Like("^service.signalled")}, EVERY,
        evidence=(Like("SIGSEGV"),), allowed_before=("service.signalled",)),
]

PROBES = [
    runs("listens-on-udp", "it listens on UDP where its file says TCP", "service.ready_timeout", "exec socat UDP-LISTEN:<port:a> PIPE", {"probe": "tcp:<port:a>"},
         {"ready": {"tcp": {"port": "<port:a>"}}, "ready_timeout_s": 0.5}, later_s=5, no_evidence=SEEN),
    runs("listens-on-ipv6-only", "it listens on ::1 where its file asks for 0.0.0.0", "service.wrong_address", "exec socat TCP6-LISTEN:<port:a>,bind=[::1],fork PIPE",
         {"port": "<port:a>", "wanted": "0.0.0.0", "found": "::1"}, {"ready": {"tcp": {"port": "<port:a>", "address": "0.0.0.0"}}}, no_evidence=SEEN),
    runs("stops-itself", "it stops itself by SIGSTOP before it is ready", "service.ready_timeout", "kill -STOP $$; exec socat TCP-LISTEN:<port:a> PIPE", {"probe": "tcp:<port:a>"},
         {"ready": {"tcp": {"port": "<port:a>"}}, "ready_timeout_s": 0.5}, later_s=5, no_evidence=SEEN),
    runs("ends-listening", "it closes its port after it was ready, and lives on", "service.unhealthy",
         "socat TCP-LISTEN:<port:a>,fork PIPE & echo $! >/run/<word:pid>; sleep 8; kill $(cat /run/<word:pid>); @stamp exec sleep 1000", {"probe": "tcp:<port:a>"},
         {"ready": {"tcp": {"port": "<port:a>"}}, "health": {"probe": {"tcp": {"port": "<port:a>"}}, "interval_s": 1, "failures": 2}}, later_s=3, no_evidence=SEEN, missed_at_first=True),
]

MACHINES = [
    late("clock-goes-back", "the guest's clock goes back to 2001", "guest.clock_jumped", "busybox date -s @1000000000 >/dev/null; @stamp exec sleep 1000", {"delta": Like(r"^-\d{8,}$")},
         place="also", no_evidence=SEEN),
    late("panic-of-a-quiet-kernel", "a kernel that was told to be quiet panics", "guest.panic", "echo c >/proc/sysrq-trigger", {"text": Like("sysrq triggered crash|the panic device was rung")},
         vm={"kernel_args": "quiet loglevel=0"}, since="start", later_s=0, deadline_s=6, evidence=(Like("Kernel panic - not syncing|guest-panic"),), missed_at_first=True),
]

ROWS = PROGRAMS + DEATHS + PROBES + MACHINES
