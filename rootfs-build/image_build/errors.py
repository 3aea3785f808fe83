"""What every failure of a build says: in which step, about what, why, and how to mend it."""


class BuildError(Exception):
    def __init__(self, item, cause, mend, step=None):
        super().__init__(f"{item}: {cause}")
        self.item, self.cause, self.mend, self.step = item, cause, mend, step
