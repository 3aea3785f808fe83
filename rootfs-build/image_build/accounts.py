"""The profile's users, in the root's passwd, group and shadow: locked, for nobody logs in with a password, and each with a home of its own."""

DAY_S = 86_400


def read(tree, name):
    return [line.split(":") for line in (tree.read_text(f"etc/{name}") or "").splitlines()]


def write(tree, name, rows, mode):
    tree.write(f"etc/{name}", "".join(":".join(row) + "\n" for row in rows), mode, like_before=True)


def add(tree, users, epoch):
    """Faults: names or ids that the packages have taken, groups that there are not. `tree`: a GuestTree."""
    passwd, group, shadow = (read(tree, name) for name in ("passwd", "group", "shadow"))
    faults = []
    for user in users:
        name, number = user["name"], str(user["uid"])
        clashes = [row[0] for rows in (passwd, group) for row in rows if row[0] == name or row[2:3] == [number]]
        missing = [wanted for wanted in user.get("groups", []) if wanted not in {row[0] for row in group}]
        faults += [f"user {name}: name or id {number} is that of {clashes[0]}, which a package brings"] if clashes else []
        faults += [f"user {name}: there is no group {wanted}" for wanted in missing]
        if clashes or missing:
            continue
        passwd.append([name, "x", number, number, "", home_of(user), user.get("shell", "/bin/bash")])
        group.append([name, "x", number, ""])
        shadow.append([name, "!", str(epoch // DAY_S), "0", "99999", "7", "", "", ""])
        for row in group:
            if row[0] in user.get("groups", []):
                row[3] = ",".join([*filter(None, row[3].split(",")), name])
    if users and not faults:
        write(tree, "passwd", passwd, 0o644)
        write(tree, "group", group, 0o644)
        write(tree, "shadow", shadow, 0o640)
    return faults


def home_of(user):
    return user.get("home", f"/home/{user['name']}")


def give_homes(tree, users):
    """After everything was laid over the root: what lies in a home is its user's."""
    for user in users:
        tree.give(home_of(user), user["uid"], user["uid"], 0o750)
