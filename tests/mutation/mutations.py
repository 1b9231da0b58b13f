# SPDX-License-Identifier: BSD-2-Clause
"""Small changes to a C source that should make a test fail, found by the text's tokens alone."""

import collections
import re

TOKEN = re.compile(r"""
    (?P<comment>/\*.*?\*/|//[^\n]*)
  | (?P<preprocessor>^[ \t]*\#(?:\\\n|[^\n])*)
  | (?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
  | (?P<number>\b(?:0[xX][0-9a-fA-F]+|\d+)(?:[uU]?[lL]{0,2})\b)
  | (?P<word>[A-Za-z_]\w*)
  | (?P<operator><<=|>>=|->|\+\+|--|<=|>=|==|!=|&&|\|\||<<|>>|[-+*/%&|^]=|[-+*/%&|^~!<>=?:;,.(){}\[\]])
""", re.VERBOSE | re.DOTALL | re.MULTILINE)
DEFINE = re.compile(r"[ \t]*#[ \t]*define[ \t]+\w+[ \t]+(?P<value>.*)", re.DOTALL)
NUMBER = re.compile(r"\b(0[xX][0-9a-fA-F]+|\d+)(?=[uU]?[lL]{0,2}\b)")
REPLACED = {"<": ["<=", ">"], "<=": ["<"], ">": [">=", "<"], ">=": [">"], "==": ["!="], "!=": ["=="],
            "&&": ["||"], "||": ["&&"], "++": ["--"], "--": ["++"], "+=": ["-="], "-=": ["+="], "|=": ["&="]}
BINARY = {"+": "-", "-": "+", "/": "*", "|": "&", "%": "/"}
WORDS = {"true": "false", "false": "true"}
# What comes before a unary operator, or before none.
NOT_AN_OPERAND = {"(", ",", "=", "return", "[", "{", ";", "&&", "||", "?", ":", "!", "<", ">", "<=", ">=", "==", "!=",
                  "+", "-", "*", "/", "&", "|", "+=", "-=", "case", "sizeof"}
KEYWORDS = {"if", "while", "for", "switch", "return", "sizeof", "do", "else", "case", "default", "struct", "enum",
            "union", "static", "const", "_Static_assert", "__attribute__", "defined", "goto"}

Token = collections.namedtuple("Token", "kind text begin end")
Mutation = collections.namedtuple("Mutation", "kind begin end new")


def tokens(text):
    return [Token(match.lastgroup, match.group(), match.start(), match.end()) for match in TOKEN.finditer(text)
            if match.lastgroup != "comment"]


def other_number(text):
    value = int(text, 8 if re.fullmatch("0[0-7]+", text) else 0)
    return str({0: 1, 1: 0}.get(value, value + 1 if value < 10 else value * 2))


def closing(code, at):
    """The index of the bracket that closes the one at `at`; None if there is none."""
    pairs = {"(": ")", "[": "]", "{": "}"}
    depth = 0
    for i in range(at, len(code)):
        if code[i].text in pairs and code[i].kind == "operator":
            depth += 1
        elif code[i].text in pairs.values() and code[i].kind == "operator":
            depth -= 1
            if depth == 0:
                return i
    return None


def of_preprocessor(token):
    define = DEFINE.fullmatch(token.text)
    if define is None or re.match(r"[ \t]*#[ \t]*define[ \t]+\w+\(", token.text):
        return
    for number in NUMBER.finditer(re.sub(r'"(?:\\.|[^"\\])*"', lambda m: " " * len(m.group()), define["value"])):
        begin = token.begin + define.start("value") + number.start()
        yield Mutation("constant", begin, begin + len(number.group()), other_number(number.group()))


def of_operator(code, i):
    token = code[i]
    for new in REPLACED.get(token.text, []):
        yield Mutation("operator", token.begin, token.end, new)
    is_binary = i > 0 and code[i - 1].text not in NOT_AN_OPERAND and code[i - 1].kind != "preprocessor"
    if token.text in BINARY and is_binary:
        yield Mutation("operator", token.begin, token.end, BINARY[token.text])
    if token.text == "!":
        yield Mutation("condition", token.begin, token.end, "")


def of_condition(code, i):
    """if (x) and while (x): the opposite."""
    end = closing(code, i + 1) if code[i + 1].text == "(" else None
    if end is not None and end > i + 2:
        begin, stop = code[i + 2].begin, code[end - 1].end
        yield Mutation("condition", begin, stop, ("!(", begin, stop, ")"))


def of_return(code, i):
    end = next((j for j in range(i, len(code)) if code[j].text == ";"), None)
    if end is None or end == i + 1 or code[i + 1].text in ("true", "false") or code[i + 1].kind == "number":
        return
    begin, stop = code[i + 1].begin, code[end - 1].end
    yield Mutation("return", begin, stop, ("!(", begin, stop, ")"))


def parts(code, opening, end):
    """The begin and end of each argument of a call."""
    begin, depth, found = opening + 1, 0, []
    for i in range(opening + 1, end + 1):
        if i == end or (depth == 0 and code[i].text == ","):
            if i == begin:
                return []
            found.append((code[begin].begin, code[i - 1].end))
            begin = i + 1
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(code[i].text, 0)
    return found


def of_call(code, i, text):
    """Two neighbouring arguments change places."""
    end = closing(code, i + 1)
    arguments = parts(code, i + 1, end) if end is not None else []
    for one, two in zip(arguments, arguments[1:]):
        if text[slice(*one)] != text[slice(*two)]:
            yield Mutation("arguments", one[0], two[1], (*two, text[one[1]:two[0]], *one))


def of_statement(code, i):
    """A call or an assignment that stands alone is left out; so are break and continue."""
    first = code[i]
    if code[i - 1].text not in (";", "{", "}", ")", "else", ":") or first.kind != "word":
        return
    if first.text in ("break", "continue"):
        yield Mutation("statement", first.begin, first.end, "")
    if first.text in KEYWORDS or code[i + 1].kind == "word" or code[i + 1].text == "*":
        return
    end = next((j for j in range(i, len(code)) if code[j].text in (";", "{", "}")), None)
    is_statement = end is not None and code[end].text == ";" and code[i + 1].text in ("(", "=", ".", "->", "[", "++", "--",
                                                                                      "+=", "-=", "|=", "&=")
    if is_statement:
        yield Mutation("statement", first.begin, code[end - 1].end, "")


def find(text):
    """All mutations of a source."""
    code = tokens(text)
    depth, found = 0, []
    for i, token in enumerate(code):
        if token.kind == "operator" and token.text in "{}":
            depth += 1 if token.text == "{" else -1
        if token.kind == "preprocessor":
            found += of_preprocessor(token)
        elif token.kind == "number":
            found.append(Mutation("constant", token.begin, token.end, other_number(NUMBER.match(token.text).group())))
        elif token.kind == "word" and token.text in WORDS:
            found.append(Mutation("constant", token.begin, token.end, WORDS[token.text]))
        if depth == 0 or i + 1 >= len(code):
            continue
        if token.kind == "operator":
            found += of_operator(code, i)
        elif token.text in ("if", "while"):
            found += of_condition(code, i)
        elif token.text == "return":
            found += of_return(code, i)
        elif token.kind == "word" and code[i + 1].text == "(" and token.text not in KEYWORDS:
            found += of_call(code, i, text)
        if token.kind == "word" and i > 0:
            found += of_statement(code, i)
    return found


def piece(text, new):
    """A replacement is a text, or a row of texts and of pairs (begin, end) of the source."""
    if isinstance(new, str):
        return new
    made, row = "", list(new)
    while row:
        first = row.pop(0)
        made += first if isinstance(first, str) else text[first:row.pop(0)]
    return made


def apply(text, mutation):
    """As many lines as before: what the compiler makes of the rest does not change."""
    old = text[mutation.begin:mutation.end]
    new = piece(text, mutation.new)
    return text[:mutation.begin] + new + "\n" * (old.count("\n") - new.count("\n")) + text[mutation.end:]
