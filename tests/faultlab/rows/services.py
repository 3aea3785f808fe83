"""One service does not come up, or does not stay up."""
from lab.native import ARM_ELF, fault, without_its_library
from lab.row import Like, Row, Script

ONCE = {"restart": "never"}


def dies_of(number, name, ci=False):
    return Row(f"dies-of-{name.lower()}", f"a service dies of {name}", "service.signalled", "victim", fields={"signal": name},
               evidence=(Like("working"),), files={"<path:program>": (fault(number), 0o755)},
               services={"<victim>": {"exec": Script("exec <path:program>"), **ONCE}}, ci=ci)


def program(name, what, code, path, content, mode, fields, **more):
    """exec itself fails."""
    return Row(name, what, code, "victim", fields=fields, files={path: (content, mode)} if content is not None else {},
               services={"<victim>": {"exec": [path], **ONCE}}, prepare="true", **more)


ROWS = [
    program("program-absent", "the program does not exist", "service.missing_binary", "<path:program>", None, 0, {"path": "<path:program>"}, ci=True),
    program("program-not-executable", "the program's file lacks the x bit", "service.not_executable", "<path:program>", "#!/bin/sh\nexit 0\n", 0o644,
            {"path": "<path:program>"}, ci=True),
    program("program-without-form", "the program is neither ELF nor a script", "service.not_executable", "<path:program>", "just text\n", 0o755,
            {"path": "<path:program>"}),
    program("other-architecture", "the program is built for arm64", "service.wrong_architecture", "<path:program>", ARM_ELF, 0o755,
            {"path": "<path:program>"}, ci=True),
    program("interpreter-absent", "a script asks for an interpreter that is not there", "service.bad_interpreter", "<path:program>",
            "#!<path:interpreter>\n", 0o755, {"path": "<path:program>", "interpreter": "<path:interpreter>"}, ci=True),
    program("library-absent", "a shared library of the program is missing", "service.missing_library", "<path:program>", without_its_library, 0o755,
            {"library": "lib<word:library>.so.1"}, evidence=(Like("error while loading shared libraries"),), ci=True),
    dies_of(11, "SIGSEGV", ci=True), dies_of(6, "SIGABRT"), dies_of(7, "SIGBUS"), dies_of(4, "SIGILL"), dies_of(8, "SIGFPE"),
]
