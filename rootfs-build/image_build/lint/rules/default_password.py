"""A password that is the same in every VM is no password."""
PREVENTS = "an account that a known or empty password opens"
LOCKED = ("*", "!", "!!", "!*", "x")


def faults(subject):
    for line in subject.tree.text("/etc/shadow").splitlines():
        fields = line.split(":")
        if len(fields) >= 2 and fields[0]:
            yield from fault_of("/etc/shadow", fields[0], fields[1])
    for line in subject.tree.text("/etc/passwd").splitlines():
        fields = line.split(":")
        if len(fields) >= 2 and fields[0] and fields[1] != "x":
            yield from fault_of("/etc/passwd", fields[0], fields[1])


def fault_of(path, user, password):
    if password == "":
        yield path, f"{user} has an empty password"
    elif password not in LOCKED and not password.startswith(("!", "*")):
        yield path, f"{user} has a password that every VM of this image would share"
