"""The profile's users, in the root's passwd, group and shadow: locked, for nobody logs in with a password, and each with a home of its own."""
import os

DAY_S = 86_400


def read(tree, name):
    path = tree / "etc" / name
    return [line.split(":") for line in path.read_text().splitlines()] if path.is_file() else []


def write(tree, name, rows, mode):
    path = tree / "etc" / name
    path.write_text("".join(":".join(row) + "\n" for row in rows))
    path.chmod(mode)


def add(tree, users, epoch):
    """Faults: names or ids that the packages have taken, groups that there are not."""
    passwd, group, shadow = (read(tree, name) for name in ("passwd", "group", "shadow"))
    faults = []
    for user in users:
        name, number = user["name"], str(user["uid"])
        clashes = [row[0] for rows in (passwd, group) for row in rows if row[0] == name or row[2] == number]
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
        home = tree / home_of(user)[1:]
        home.mkdir(parents=True, exist_ok=True)
        for directory, names, files in os.walk(home):
            for name in names + files:
                os.chown(os.path.join(directory, name), user["uid"], user["uid"], follow_symlinks=False)
        os.chown(home, user["uid"], user["uid"])
        home.chmod(0o750)
