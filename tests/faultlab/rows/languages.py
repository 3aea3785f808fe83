"""Programs of a language whose own words say what is missing. The image is the laboratory's own (profiles/languages)."""
from lab import images
from lab.row import Like

from .services import runs

SLOW = {"image": images.built("languages"), "limit_s": 120, "vm": {"memory_mib": 384}}   # Node alone takes some ten seconds to start under emulation

ROWS = [
    runs("python-module-absent", "an import of a Python module that is absent", "service.missing_module", "python3 -c 'import <word:module>'; end=$?; @stamp exit $end",
         {"module": "<word:module>"}, evidence=(Like("ModuleNotFoundError: No module named '<word:module>'"),), **SLOW),
    runs("node-module-absent", "a require() of a Node module that is absent", "service.missing_module", "node -e 'require(\"<word:module>\")'; end=$?; @stamp exit $end",
         {"module": "<word:module>"}, evidence=(Like("Cannot find module '<word:module>'"),), **SLOW),
    runs("node-exits", "a Node program ends with an error of its own", "service.exited", "node -e 'console.error(\"<word:said>\"); process.exit(7)'; end=$?; @stamp exit $end", {"code": 7},
         evidence=(Like("<word:said>"),), **SLOW),
]
