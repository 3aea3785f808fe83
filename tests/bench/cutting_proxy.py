"""A proxy of the agents' links that cuts them: each connection lives for some frames, and then exactly so many bytes of one more frame pass, one way or the other, before
both sides are closed. What was cut where is counted; the places come in turn, so that after a while each byte of each kind of frame was the last one."""
import collections
import selectors
import socket
import threading

READ_BYTES = 1 << 16
UP, DOWN = "guest to host", "host to guest"
KINDS = ((UP, "first frame"), (UP, "later frame"), (DOWN, "first frame"), (DOWN, "later frame"))   # hello, reports; welcome, acknowledgements


class Cut:
    """After which byte: so many of the first frame in one direction, or of the first one from number `frame` on that is long enough."""

    def __init__(self, kind, frame, offset):
        self.kind, self.way, self.frame, self.offset = kind, kind[0], frame, offset

    def is_due(self, frame, passed):
        return passed == self.offset and (frame == 0 if self.frame == 0 else frame >= self.frame)


class Plan:
    """The kinds in turn; of each an offset at which none was cut yet, up to the longest frame that was seen of it, and any when there is none left."""

    def __init__(self, dice):
        self.dice, self.next, self.longest = dice, 0, dict.fromkeys(KINDS, 1)
        self.done = collections.defaultdict(collections.Counter)

    def draw(self):
        missing = self.missing()
        kind = KINDS[self.next % len(KINDS)] if not any(missing.values()) else self.dice.choices(KINDS, [len(missing[each]) for each in KINDS])[0]
        self.next += 1
        offset = self.dice.choice(missing[kind] or range(self.longest[kind]))
        longest_life = 60 if any(missing.values()) else 2000            # in frames: then there is time to say something
        return Cut(kind, 0 if kind[1] == "first frame" else self.dice.randrange(1, longest_life if kind[0] == UP else max(6, longest_life // 20)), offset)

    def saw(self, way, frame, length):
        kind = (way, "first frame" if frame == 0 else "later frame")
        self.longest[kind] = max(self.longest[kind], length)

    def missing(self):
        """Offsets at which no frame of a kind was cut yet."""
        return {kind: [n for n in range(self.longest[kind]) if n not in self.done[kind]] for kind in KINDS}

    def cuts(self):
        return sum(sum(counter.values()) for counter in self.done.values())


class Half:
    """One direction: counts frames and says how much of a piece may pass. None: all of it."""

    def __init__(self, way, cut, plan):
        self.way, self.cut, self.plan = way, cut if cut.way == way else None, plan
        self.frame, self.head, self.left = 0, b"", 0       # left: of the frame's body; a head of less than four bytes is on its way
        self.passed = 0                                    # bytes of this frame

    def take(self, data):
        at = 0
        while at < len(data):
            if self.cut and self.cut.is_due(self.frame, self.passed):
                self.plan.done[self.cut.kind][self.cut.offset] += 1
                return at
            until_cut = self.cut.offset - self.passed if self.cut and self.passed < self.cut.offset else len(data)
            at += self.step(data, at, min(until_cut, len(data) - at))
        return None

    def step(self, data, at, most):
        """Takes up to `most` bytes, at most to the end of the head or of the frame."""
        if len(self.head) < 4:
            count = min(most, 4 - len(self.head))
            self.head += data[at:at + count]
            if len(self.head) == 4:
                self.left = int.from_bytes(self.head, "little")
                self.plan.saw(self.way, self.frame, self.left + 4)
        else:
            count = min(most, self.left)
            self.left -= count
        self.passed += count
        if len(self.head) == 4 and self.left == 0:
            self.frame, self.head, self.passed = self.frame + 1, b"", 0
        return count


class CuttingProxy(threading.Thread):
    """For each path: listens on path + suffix and passes on to path."""

    def __init__(self, paths, suffix, dice):
        super().__init__(daemon=True)
        self.plan, self.selector, self.ends = Plan(dice), selectors.DefaultSelector(), False
        for path in paths:
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(path + suffix)
            listener.listen(16)
            self.selector.register(listener, selectors.EVENT_READ, ("listener", path))

    def run(self):
        while not self.ends:
            for key, _ in self.selector.select(0.5):
                if key.fileobj.fileno() < 0:
                    continue                               # closed with its other half in this very turn
                if key.data[0] == "listener":
                    self.accept(key.fileobj, key.data[1])
                else:
                    self.carry(key.fileobj, *key.data[1:])

    def accept(self, listener, path):
        guest, host = listener.accept()[0], socket.socket(socket.AF_UNIX)
        try:
            host.connect(path)
        except OSError:                                    # no daemon just now
            guest.close()
            host.close()
            return
        cut = self.plan.draw()
        self.selector.register(guest, selectors.EVENT_READ, ("half", host, Half(UP, cut, self.plan)))
        self.selector.register(host, selectors.EVENT_READ, ("half", guest, Half(DOWN, cut, self.plan)))

    def carry(self, source, target, half):
        try:
            data = source.recv(READ_BYTES)
            passes = half.take(data)
            target.sendall(data if passes is None else data[:passes])
            goes_on = bool(data) and passes is None
        except OSError:
            goes_on = False
        if not goes_on:
            for end in (source, target):
                self.selector.unregister(end)
                end.close()

    def close(self):
        self.ends = True
        self.join()
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()
        self.selector.close()

