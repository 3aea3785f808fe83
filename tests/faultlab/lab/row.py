"""What one line of the table is. Texts may hold tokens that are drawn anew for each run, so that no VM sees a telling name:

    <victim>        the name of a service of this row (any word: each is another service)
    <path:KEY>      an absolute path        <port:KEY>   a port        <word:KEY>   a word
"""
import re
from dataclasses import dataclass, field
from typing import Callable


SEEN = "what was seen stands in the cause's own fields; nothing said more"   # a row's no_evidence


@dataclass(frozen=True)
class Like:
    """A field or a line that matches this pattern somewhere."""
    pattern: str

    def matches(self, value, fill):
        return re.search(fill(self.pattern, re.escape), str(value)) is not None

    def __str__(self):
        return f"/{self.pattern}/"


@dataclass(frozen=True)
class Between:
    low: float
    high: float

    def matches(self, value, fill):
        return isinstance(value, (int, float)) and self.low <= value <= self.high

    def __str__(self):
        return f"{self.low}..{self.high}"


@dataclass(frozen=True)
class Script:
    """A shell script as a service's exec: it says first, on the kernel log, what the guest's clock shows."""
    text: str


@dataclass(frozen=True)
class Row:
    name: str
    what: str                                   # the fault, for the report
    code: str                                   # the cause that must be named; "" in a control: none at all
    service: str = ""                           # whose cause it is: a token's key
    fields: dict = field(default_factory=dict)  # the cause's subject: value, Like or Between
    evidence: tuple = ()                        # Like: each must match a line of the cause's evidence
    no_evidence: str = ""                       # why the cause has no line of evidence: without it a row of a fault must ask for one
    allowed_before: tuple = ()                  # codes that may be the verdict before the row's own: what was true, or all that was known, until then
    place: str = "main"                         # main: the verdict itself; also: beside it (the VM as such is well)

    services: dict = field(default_factory=dict)        # laid over the image's; "<victim>": {...}
    files: dict = field(default_factory=dict)           # path: (bytes, text or function of the scene, mode)
    prepare: str = ""                           # shell, run as root before the services that this row adds
    vm: dict = field(default_factory=dict)      # more of the create request
    image: Callable | None = None               # makes a variant of the image, gives its name
    at_created: Callable | None = None          # done before the VM is started for the first time
    at_ready: Callable | None = None            # done to the VM when it is ready
    at_start: Callable | None = None            # done to the VM when its VMM runs

    since: str = "stamp"                        # the instant when the evidence exists: stamp, host, start, stage:NAME or kernel:TEXT
    later_s: float = 0                          # allowed before that, unscaled: a deadline of the product, or what the fault itself takes to show (an X server's start, a client that leaves)
    deadline_s: float = 3.0                     # times the accelerator's scale
    limit_s: float = 60                         # of the whole row
    runs: int = 1                               # how many runs of the VM it takes
    watch_s: float = 4.0                        # controls: how long it must stay quiet after at_ready
    ci: bool = False
    alone: bool = False                         # no other VM beside it
    family: str = ""                            # filled in by rows/
    missed_at_first: bool = False               # of `unseen`: not named when it was run for the first time
    impossible: str = ""                        # why it cannot even be injected yet; counts as not named
    not_yet: str = ""                           # why the product does not name it; the row runs with --all and counts against it
