"""One service does not come up, or does not stay up."""
from lab.native import ARM_ELF, fault, without_its_library
from lab.row import SEEN, Like, Row, Script

ONCE = {"restart": "never"}
PERL_LISTENS = "use Socket; socket(S, PF_INET, SOCK_STREAM, 0); setsockopt(S, SOL_SOCKET, SO_REUSEADDR, 1); bind(S, sockaddr_in(<port:a>, INADDR_ANY)); "
HTTP_SERVER = r"""#!/usr/bin/perl
# 200 as long as the file named first is there, else 500; on the port named second.
use Socket;
my ($file, $port) = @ARGV;
socket(my $server, PF_INET, SOCK_STREAM, 0) or die "socket: $!";
setsockopt($server, SOL_SOCKET, SO_REUSEADDR, 1);
bind($server, sockaddr_in($port, INADDR_ANY)) or die "bind: $!";
listen($server, 5) or die "listen: $!";
while (accept(my $client, $server)) {
    while (my $line = <$client>) { last if $line =~ /^\r?\n$/ }
    my $status = -e $file ? "200 OK" : "500 Internal Server Error";
    syswrite($client, "HTTP/1.1 $status\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    close($client);
}
"""
SERVER = {"<path:server>": (HTTP_SERVER, 0o755)}


def dies_of(number, name, ci=False):
    return Row(f"dies-of-{name.lower()}", f"a service dies of {name}", "service.signalled", "victim", fields={"signal": name},
               evidence=(Like("working"), Like(r"^#\d+ <word:function>\b")), files={"<path:program>": (fault(number), 0o755)},
               services={"<victim>": {"exec": Script("exec <path:program>"), **ONCE}}, ci=ci)


def program(name, what, code, path, content, mode, fields, before="true", more_files=None, **more):
    """exec itself fails."""
    return Row(name, what, code, "victim", fields=fields, files={**({path: (content, mode)} if content is not None else {}), **(more_files or {})},
               services={"<victim>": {"exec": [path], **ONCE}}, prepare=before, **more)


def runs(name, what, code, script, fields=None, spec=None, **more):
    """A shell script is the service."""
    return Row(name, what, code, more.pop("service", "victim"), fields=fields or {},
               services={"<victim>": {"exec": Script(script), **ONCE, **(spec or {})}, **more.pop("others", {})}, **more)


def wrong_file(name, what, code, override, fields, **more):
    """A service file that says something impossible."""
    return Row(name, what, code, more.pop("service", "victim"), fields=fields, since=more.pop("since", "stage:agent"),
               services={"<victim>": {"exec": ["/bin/sleep", "1000"], **ONCE, **override}, **more.pop("others", {})}, **more)


def stop(scene):
    scene.now()
    scene.lab.daemon.api.post(f"/v1/instances/{scene.vm['id']}/stop", {"grace_s": 60})


PROGRAMS = [
    program("program-absent", "the program does not exist", "service.missing_binary", "<path:program>", None, 0, {"path": "<path:program>"}, ci=True, no_evidence=SEEN),
    program("program-not-executable", "the program's file lacks the x bit", "service.not_executable", "<path:program>", "#!/bin/sh\nexit 0\n", 0o644,
            {"path": "<path:program>"}, ci=True, evidence=(Like("Permission denied"),)),
    program("program-without-form", "the program is neither ELF nor a script", "service.not_executable", "<path:program>", "just text\n", 0o755,
            {"path": "<path:program>"}, evidence=(Like("neither an ELF program nor a script"),)),
    program("other-architecture", "the program is built for arm64", "service.wrong_architecture", "<path:program>", ARM_ELF, 0o755,
            {"path": "<path:program>"}, ci=True, no_evidence=SEEN),
    program("interpreter-absent", "a script asks for an interpreter that is not there", "service.bad_interpreter", "<path:program>",
            "#!<path:interpreter>\n", 0o755, {"path": "<path:program>", "interpreter": "<path:interpreter>"}, ci=True, no_evidence=SEEN),
    program("library-absent", "a shared library of the program is missing", "service.missing_library", "<path:program>", without_its_library, 0o755,
            {"library": "lib<word:library>.so.1"}, evidence=(Like("error while loading shared libraries"),), ci=True),
    runs("perl-module-absent", "a Perl module is missing", "service.missing_module", "exec perl -e 'use <word:module>::<word:part>; 1'",
         {"module": Like("<word:module>.<word:part>")}, evidence=(Like("Can't locate"),)),
    runs("command-absent", "a script calls a command that is not there", "service.missing_binary", "<word:command> --start", {"path": "<word:command>"},
         evidence=(Like("<word:command>: not found"),)),
]

DEATHS = [
    dies_of(11, "SIGSEGV", ci=True), dies_of(6, "SIGABRT"), dies_of(7, "SIGBUS"), dies_of(4, "SIGILL"), dies_of(8, "SIGFPE"),
    runs("exits-with-a-message", "it exits 1 and says why on stderr", "service.exited", "echo 'cannot read <path:settings>: wrong line 4' >&2; exit 1",
         {"code": 1}, evidence=(Like("cannot read <path:settings>: wrong line 4"),), ci=True),
    runs("exits-too-early", "it exits 0 before it is ready", "service.exited_early", "exit 0", spec={"ready": {"tcp": {"port": "<port:a>"}}}, ci=True, evidence=(Like("ended with code 0"),)),
    runs("exits-in-a-loop", "it dies again and again", "service.crash_loop", "echo broken >&2; exit 7", {"first": Like("^service.exited")},
         {"restart": {"policy": "always", "backoff_ms": 10, "crash_loop": {"exits": 3, "window_s": 60}}}, ci=True,
             evidence=(Like("exited with code 7"), Like("broken")), allowed_before=("service.exited",)),
    runs("exits-every-five-seconds", "it lives for five seconds each time", "service.crash_loop", "sleep 5; @stamp exit 3", {"first": Like("^service.exited")},
         {"restart": {"policy": "always", "backoff_ms": 10, "crash_loop": {"exits": 3, "window_s": 60}}}, evidence=(Like("exited with code 3"),), allowed_before=("service.exited",)),
    runs("variable-not-set", "it needs an environment variable that nobody gives", "service.exited", ': "${<word:variable>:?is not set}"', {"code": 2},
         evidence=(Like("<word:variable>: is not set"),)),
    runs("goes-to-the-background", "it forks and leaves", "service.daemonised", "(sleep 1000) & exit 0", {"pid": Like(r"^\d+$")},
         {"ready": {"tcp": {"port": "<port:a>"}}}, ci=True, evidence=(Like("ended with code 0"),)),
    runs("descriptors-used-up", "it runs out of file descriptors", "service.fd_exhausted",
         "perl -e 'for (1..64) { open(my $h, \"<\", \"/dev/null\") or die \"open: $!\"; push @all, $h }'", spec={"limits": {"nofile": 20}},
         evidence=(Like("Too many open files"),)),
    runs("stale-socket", "the Unix socket of a former life is in its way", "service.lock_stale",
         "exec socat UNIX-LISTEN:<path:socket> PIPE", {"path": "<path:socket>"}, prepare=(
             "mkdir -p $(dirname <path:socket>); perl -e 'use Socket; socket(S, PF_UNIX, SOCK_STREAM, 0); bind(S, sockaddr_un(shift)) or die' <path:socket>"),
                 evidence=(Like('"<path:socket>" exists'),)),
    runs("stale-lock", "the lock file of a former life is in its way", "service.lock_stale",
         "set -C; echo $$ >/tmp/.<word:lock>-lock || { echo 'Fatal server error: server is already active for display 1' >&2; "
         "echo '\tIf this server is no longer running, remove /tmp/.<word:lock>-lock' >&2; echo '\tand start again.' >&2; exit 1; }",
         {"path": "/tmp/.<word:lock>-lock"}, prepare="echo 4711 >/tmp/.<word:lock>-lock", evidence=(Like(r"is no longer running, remove /tmp/\.<word:lock>-lock"),)),
]

PROBES = [
    runs("port-taken", "another service listens on its port", "service.port_taken", "exec socat TCP-LISTEN:8080 PIPE",
         {"port": 8080, "holder": Like(r"^web \(pid \d+\)$")}, {"after": ["web"]}, evidence=(Like("Address already in use"),), ci=True),
    runs("port-taken-quietly", "its port is taken and it says nothing of it", "service.port_taken", "exec socat TCP-LISTEN:8080 PIPE 2>/dev/null",
         {"port": 8080, "holder": Like(r"^web \(pid \d+\)$")}, {"after": ["web"], "ready": {"tcp": {"port": 8080}}}, evidence=(Like("ended with code 1"),)),
    runs("wrong-address", "it listens on 127.0.0.1 where its file asks for 0.0.0.0", "service.wrong_address",
         "exec socat TCP-LISTEN:<port:a>,bind=127.0.0.1,fork PIPE", {"port": "<port:a>", "wanted": "0.0.0.0", "found": "127.0.0.1"},
         {"ready": {"tcp": {"port": "<port:a>", "address": "0.0.0.0"}}}, ci=True, no_evidence=SEEN),
    runs("never-answers", "it listens and never answers", "service.not_answering", "exec socat TCP-LISTEN:<port:a>,fork EXEC:'sleep 1000'",
         {"port": "<port:a>"},
         {"ready": {"http": {"port": "<port:a>"}}}, later_s=20, no_evidence=SEEN),
    runs("never-accepts", "it listens and never accepts", "service.not_answering", f"exec perl -e '{PERL_LISTENS} listen(S, 5); sleep 1000'",
         {"port": "<port:a>"}, {"ready": {"http": {"port": "<port:a>"}}}, later_s=20, no_evidence=SEEN),
    runs("other-protocol", "it speaks another protocol than its file says", "service.wrong_protocol",
         "exec socat TCP-LISTEN:<port:a>,fork,reuseaddr SYSTEM:'echo RFB 003.008'", {"port": "<port:a>", "expected": "http", "got": Like("^RFB 003.008")},
         {"ready": {"http": {"port": "<port:a>"}}}, ci=True, no_evidence=SEEN),
    Row("http-where-rfb-was-asked", "HTTP where a VNC server's greeting was expected", "service.wrong_protocol", "victim",
        fields={"expected": "rfb", "got": Like("^HTTP")},
        services={"<victim>": {"exec": Script("exec busybox httpd -f -p <port:a>"), "ready": {"rfb": {"port": "<port:a>"}}, **ONCE}}, later_s=10, ci=True, no_evidence=SEEN),
    runs("greets-otherwise", "another server's greeting where a VNC server's was expected", "service.wrong_protocol",
         "exec socat TCP-LISTEN:<port:a>,fork,reuseaddr SYSTEM:'echo 220 <word:name> ready; sleep 5'", {"expected": "rfb", "got": Like("^220 <word:name> ready")},
         {"ready": {"rfb": {"port": "<port:a>"}}}, no_evidence=SEEN),
    runs("never-greets", "silence where a VNC server's greeting was expected", "service.not_answering", "exec socat TCP-LISTEN:<port:a>,fork EXEC:'sleep 1000'",
         {"port": "<port:a>"}, {"ready": {"rfb": {"port": "<port:a>"}}}, later_s=20, no_evidence=SEEN),
    runs("never-listens", "it runs and never opens its port", "service.ready_timeout", "exec sleep 1000", {"probe": "tcp:<port:a>"},
         {"ready": {"tcp": {"port": "<port:a>"}}, "ready_timeout_s": 0.5}, later_s=5, ci=True, no_evidence=SEEN),
    runs("http-500", "its readiness route answers 500", "service.ready_timeout", "exec <path:server> /nowhere <port:a>", {"probe": "http:<port:a>"},
         {"ready": {"http": {"port": "<port:a>"}}, "ready_timeout_s": 0.5}, files=SERVER, later_s=5, evidence=(Like("status 500"),)),
    runs("health-500", "its health route answers 500 after it was ready", "service.unhealthy",
         "touch /run/<word:well>; (sleep 6; rm /run/<word:well>; @stamp) & exec <path:server> /run/<word:well> <port:a>", {"probe": "http:<port:a>"},
         {"ready": {"tcp": {"port": "<port:a>"}}, "health": {"probe": {"http": {"port": "<port:a>"}}, "interval_s": 1, "failures": 2}},
         files=SERVER, later_s=3, evidence=(Like("http:<port:a>: status 500"),)),
    runs("dependency-not-ready", "what it requires never becomes ready", "service.ready_timeout", "exec sleep 1000", {"probe": "tcp:<port:a>"},
         {"ready": {"tcp": {"port": "<port:a>"}}, "ready_timeout_s": 0.5}, later_s=5,
         others={"<dependent>": {"exec": ["/bin/sleep", "1000"], "requires": ["<victim>"]}}, no_evidence=SEEN),
    runs("dependency-failed", "what depends on a failed service is told of too", "service.dependency_failed", "exit 5", {"dependency": "<victim>"},
         {"ready": {"tcp": {"port": "<port:a>"}}}, service="dependent", place="also",
         others={"<dependent>": {"exec": ["/bin/sleep", "1000"], "requires": ["<victim>"]}}, no_evidence=SEEN, allowed_before=("service.exited",)),
]

FILES = [
    wrong_file("key-unknown", "a key that no service file has", "service.spec_invalid", {"<word:key>": 1}, {"key": "<word:key>"}, ci=True, evidence=(Like("unknown key"),)),
    wrong_file("key-of-wrong-type", "a text where a list belongs", "service.spec_invalid", {"exec": "/bin/true"}, {"key": "exec"}, evidence=(Like("not a list"),)),
    wrong_file("dependency-unknown", "it requires a service that does not exist", "service.spec_invalid", {"requires": ["<other>"]},
               {"key": Like("requires")}, evidence=(Like("there is no service '<other>'"),)),
    wrong_file("dependency-cycle", "two services wait for each other", "service.dependency_cycle", {"after": ["<other>"]}, {"path": Like("<victim>")},
               service="", others={"<other>": {"exec": ["/bin/sleep", "1000"], "after": ["<victim>"]}}, ci=True, no_evidence=SEEN),
    wrong_file("user-unknown", "it is to run as a user that does not exist", "service.spec_invalid", {"user": "<word:user>"}, {"key": "user"},
               evidence=(Like("<word:user>"),)),
    wrong_file("folder-absent", "its working directory does not exist", "service.spec_invalid", {"cwd": "<path:folder>"}, {"key": "cwd"},
               evidence=(Like("<path:folder>"),)),
    wrong_file("secret-not-given", "it needs a secret that the VM was not given", "service.secret_unreadable", {"secrets": ["<word:secret>"]},
               {"name": "<word:secret>"}, ci=True, evidence=(Like("the VM was not given it"),)),
    wrong_file("secret-not-written", "the folder for its secrets cannot be written", "service.secret_unreadable", {"secrets": ["<word:secret>"]}, {"name": "<word:secret>"},
               since="stamp", evidence=(Like("Read-only file system"),), vm={"secrets": {"<word:secret>": "<word:value>"}},
               prepare="mkdir -p /run/vigil/credentials; busybox mount -t tmpfs -o ro none /run/vigil/credentials"),
    Row("dependency-cycle-by-override", "what this VM lays over the image's own services makes them wait for each other", "service.dependency_cycle",
        fields={"path": Like("web.*echo|echo.*web")}, services={"web": {"after": ["echo"]}, "echo": {"after": ["web"]}}, since="stage:agent", no_evidence=SEEN),
    runs("ignores-sigterm", "it ignores SIGTERM when the VM is stopped", "service.stop_timeout", "trap '' TERM; echo >&3; while :; do sleep 1000; done",
         spec={"stop": {"grace_s": 0.3}, "ready": {"notify-fd": {}}}, place="also", at_ready=stop, since="host", later_s=3, no_evidence=SEEN),
]

ROWS = PROGRAMS + DEATHS + PROBES + FILES
