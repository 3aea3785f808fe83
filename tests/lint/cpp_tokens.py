"""Just enough C++ for our lints: tokens with line numbers, and what kind of bracket each brace is."""
import re
from dataclasses import dataclass, field

TOKEN = re.compile(r"""
    (?P<skip>\s+|//[^\n]*|/\*.*?\*/|^[ \t]*\#(?:[^\n\\]|\\.|\\\n)*)
  | (?P<text>(?:u8|[LuU])?R"(?P<mark>[^(\s]*)\(.*?\)(?P=mark)"|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])+')
  | (?P<number>\.?\d(?:'?[\w.]|[eEpP][+-])*)
  | (?P<name>[A-Za-z_]\w*)
  | (?P<mark2>->|::|<=>|&&|\|\||[-+*/%<>=!&|^]=|.)
""", re.X | re.S | re.M)

CONTROL = {"if", "for", "while", "switch", "catch"}
TYPE_HEADS = {"struct", "class", "union", "enum", "namespace", "extern"}
BLOCK_BEFORE = {")", ";", "{", "}", ":", "else", "do", "try", "const", "noexcept", "mutable", "override", "final", "&", "&&"}
EXPRESSION_NAMES = {"return", "co_return", "co_await", "co_yield", "case", "throw", "and", "or", "not"}


@dataclass
class Token:
    text: str
    line: int
    kind: str


@dataclass
class Statement:
    """One full expression or declaration head, without the bodies of lambdas inside it."""
    tokens: list = field(default_factory=list)
    braced: bool = False       # holds a braced initialiser
    captures: bool = False     # holds a lambda that captures by value


@dataclass
class Block:
    """A pair of braces that holds statements."""
    head: Statement            # what stands before the opening brace
    lambda_body: bool
    first_line: int
    outer: "Block | None" = None
    last_line: int = 0

    @property
    def holds_declarations(self):
        """True for a type's or namespace's braces and the file itself: what opens inside may be a function."""
        return self.head is None or (not self.lambda_body and is_type_head(self.head))

    @property
    def is_function(self):
        names = {t.text for t in self.head.tokens if t.kind == "name"} if self.head else set()
        called = self.head is not None and any(t.text == "(" for t in self.head.tokens)
        return called and not self.lambda_body and not self.holds_declarations and \
            self.outer is not None and self.outer.holds_declarations and not names & CONTROL


def is_type_head(statement):
    words = [t.text for t in statement.tokens]
    if words[:1] == ["template"] and "requires" not in words:
        words = words[closing_angle(words, 1) + 1:]
    return bool(words) and words[0] in TYPE_HEADS and "(" not in words


def closing_angle(words, start):
    depth = 0
    for at in range(start, len(words)):
        depth += (words[at] == "<") - (words[at] == ">")
        if depth == 0:
            return at
    return start


def tokens(source):
    out, line = [], 1
    for match in TOKEN.finditer(source):
        if match.lastgroup != "skip" and not match.group("skip"):
            kind = "text" if match.group("text") else "number" if match.group("number") else "name" if match.group("name") else "mark"
            out.append(Token(match.group(0), line, kind))
        line += match.group(0).count("\n")
    return out


def parse(source):
    """(statements, blocks) of a file. Every token belongs to the innermost statement that is open."""
    return _Walker(tokens(source)).walk()


class _Walker:
    def __init__(self, stream):
        self.stream = stream
        self.statements, self.blocks = [], []
        self.current = Statement()
        self.block = Block(head=None, lambda_body=False, first_line=1)
        self.open = []         # (closing text, what to restore)

    def walk(self):
        at = 0
        while at < len(self.stream):
            at = self.step(at)
        self.end_statement()
        return self.statements, self.blocks

    def end_statement(self):
        if self.current.tokens:
            self.statements.append(self.current)
        self.current = Statement()

    def step(self, at):
        token = self.stream[at]
        if token.text == "[" and self.starts_lambda(at):
            return self.lambda_introducer(at)
        if token.text == "{":
            self.open_brace(at)
        elif token.text == "}" and self.open and self.open[-1][0] == "}":
            self.close_brace(token)
        elif token.text == ";":
            self.end_statement()
        else:
            self.current.tokens.append(token)
        return at + 1

    def starts_lambda(self, at):
        before = self.stream[at - 1] if at else None
        if before is None or self.stream[at + 1].text == "[" or before.text == "[":
            return False       # [[attribute]]
        if before.text in ("&", "&&") and at > 1 and self.stream[at - 2].text == "auto":
            return False       # auto& [a, b]
        value = before.kind in ("number", "text") or before.text in (")", "]", "}", ">") or \
            (before.kind == "name" and before.text not in EXPRESSION_NAMES)
        return not value

    def lambda_introducer(self, at):
        end, depth = at, 0
        while end < len(self.stream):
            depth += (self.stream[end].text in "[({") - (self.stream[end].text in "])}")
            if depth == 0:
                break
            end += 1
        words = [t.text for t in self.stream[at + 1:end]]
        self.current.captures |= captures_by_value(words)
        self.current.tokens.append(Token("[lambda]", self.stream[at].line, "mark"))
        return end + 1

    def open_brace(self, at):
        token = self.stream[at]
        in_lambda = self.opens_lambda_body()
        if in_lambda or self.opens_block(at):
            block = Block(head=self.current, lambda_body=in_lambda, first_line=token.line, outer=self.block)
            self.blocks.append(block)
            self.open.append(("}", ("block", self.block, self.current if in_lambda else None)))
            if not in_lambda:
                self.statements.append(self.current)
            self.block, self.current = block, Statement()
        else:
            self.current.braced = True
            self.current.tokens.append(token)
            self.open.append(("}", ("value", None, None)))

    def close_brace(self, token):
        kind, outer, suspended = self.open.pop()[1]
        if kind == "value":
            self.current.tokens.append(token)
            return
        self.end_statement()
        self.block.last_line = token.line
        self.block = outer
        if suspended is not None:
            self.current = suspended
            self.current.tokens.append(Token("[body]", token.line, "mark"))

    def opens_lambda_body(self):
        """The newest [lambda] of this statement has no body yet and nothing but its head has come since."""
        depth = 0
        for token in reversed(self.current.tokens):
            depth += (token.text in (")", "]")) - (token.text in ("(",))
            if depth < 0 or token.text in ("[body]", "{", "}", "="):
                return False
            if token.text == "[lambda]":
                return depth == 0
        return False

    def opens_block(self, at):
        if not self.current.tokens:
            return True
        if is_type_head(self.current):
            return "=" not in [t.text for t in self.current.tokens]
        if self.parentheses_open():
            return False
        before = self.stream[at - 1].text
        return before in BLOCK_BEFORE or self.after_return_type()

    def parentheses_open(self):
        words = [t.text for t in self.current.tokens]
        return words.count("(") > words.count(")")

    def after_return_type(self):
        for token in reversed(self.current.tokens):
            if token.text == "->":
                return True
            if token.kind != "name" and token.text not in ("::", "<", ">", ",", "*", "&", ">>"):
                return False
        return False


def captures_by_value(words):
    """True unless every capture is `this` or a reference. Words are those between the square brackets."""
    captures, depth = [[]], 0
    for word in words:
        depth += (word in "([{") - (word in ")]}")
        if word == "," and depth == 0:
            captures.append([])
        else:
            captures[-1].append(word)
    return any(capture and capture != ["this"] and capture[0] != "&" for capture in captures)
