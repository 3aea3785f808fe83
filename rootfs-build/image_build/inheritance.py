"""`extends`: a profile that says only what it has beyond another. What both say is joined: lists grow, what has a name is replaced by the name, the larger
memory wins; everything else is the child's own where it says it. files/ are laid over each other, the child's last, so a service file replaces its namesake.
"""
from .errors import BuildError

MAX_DEPTH = 8


def union(ours, theirs):
    return [*ours, *[item for item in theirs if item not in ours]]


def by_name(name_of):
    def join(ours, theirs):
        replaced = {name_of(item) for item in theirs}
        return [*[item for item in ours if name_of(item) not in replaced], *theirs]
    return join


def by_rule(ours, theirs):
    return {rule: union(ours.get(rule, []), theirs.get(rule, [])) for rule in {**ours, **theirs}}


def npm_name(spec):
    return spec.rpartition("@")[0]


JOINED = {"packages": union, "exclude": union, "keep": union, "programs": union, "egress_targets": union, "npm": by_name(npm_name), "users": by_name(lambda user: user["name"]),
          "lint_allow": by_rule, "min_memory_mib": max, "overlay_mib": max}


def joined(parent, child):
    """The child's values, with what it leaves to its parent."""
    values = {**parent, **child}
    for key, join in JOINED.items():
        if key in parent and key in child:
            values[key] = join(parent[key], child[key])
    return values


def chain_of(name, read):
    """[(name, its own values)], the eldest first. `read(name, chain)` gives the checked values of one profile; `chain` are the names that led to it."""
    chain, found = [], []
    while not chain or name:
        if name in chain:
            raise BuildError(chain[0], f"extends: a cycle: {' -> '.join([*chain[chain.index(name):], name])}", "let one of them extend nothing")
        if len(chain) >= MAX_DEPTH:
            raise BuildError(chain[0], f"extends: more than {MAX_DEPTH} deep: {' -> '.join(chain)} -> {name}", "join some of them")
        values = read(name, chain)
        chain.append(name)
        found.append((name, values))
        name = values.get("extends", "")
    return found[::-1]
