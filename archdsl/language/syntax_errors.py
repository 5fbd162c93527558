"""What Lark could not parse, in the reader's words: a headline from the token and what could stand there."""

from __future__ import annotations

from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from archdsl.errors import Diagnostic, Span, did_you_mean

STATEMENTS = (
    "model", "input", "classes", "defaults", "let", "stem", "stage", "head", "require", "maximize", "minimize", "data", "train",
)  # fmt: skip

_SHOWN = {
    "OPEN_CALL": "'('", "LPAR": "'('", "RPAR": "')'", "LSQB": "'['", "RSQB": "']'", "LBRACE": "'{'", "RBRACE": "'}'",
    "COMMA": "','", "EQUAL": "'='", "VBAR": "'|'", "TIMES": "'*'", "SLASH": "'/'", "SIGN": "'+' or '-'", "__ANON_0": "'..'",
    "NAME": "a name", "INT": "an integer", "FLOAT": "a number", "SIZE": "a number such as 2M", "SHAPE": "a shape such as 3x32x32",
    "COMPARE": "a comparison such as <=", "DATA_NAME": "a data set's name", "STRING": "a quoted path", "STEP": "'step'", "LOG": "'log'",
}  # fmt: skip


def explain(error: UnexpectedInput, text: str) -> Diagnostic:
    """The diagnostic for a Lark error."""
    if isinstance(error, UnexpectedCharacters):
        return _odd_character(error, text)
    if isinstance(error, UnexpectedToken) and error.token.type != "$END":
        return _odd_token(error)
    return _end_of_file(error, text)


def _odd_character(error: UnexpectedCharacters, text: str) -> Diagnostic:
    character = text[error.pos_in_stream]
    span = Span(error.line, error.column, error.line, error.column + 1)
    help = {
        ";": "statements need no separator",
        "\\": "line ends mean nothing; no continuation mark is needed",
        '"': "only paths of data sets are quoted, and the quote closes on the same line",
        "'": "names are written without quotes",
    }.get(character)
    if character.isascii() and help is None and text[error.pos_in_stream : error.pos_in_stream + 2] in ("//", "/*"):
        help = "a comment starts with '#'"
    return Diagnostic(f"unexpected character '{character}'", span, help)


def _odd_token(error: UnexpectedToken) -> Diagnostic:
    token, expected = error.token, set(error.expected)
    span = Span(token.line or 1, token.column or 1, token.end_line or 1, token.end_column or 1)
    word = str(token)
    at_statement = "STAGE" in expected and "HEAD" in expected
    message = f"unexpected '{word}'"
    help: str | None
    if at_statement and "NAME" not in expected and word.isidentifier():
        message, help = f"unknown statement '{word}'", did_you_mean(word, STATEMENTS) or _statement_list()
    elif token.type == "VBAR":
        help = "alternatives stand in braces: {C|M}"
    elif token.type == "EQUAL":
        help = "arguments follow their block without a space, M(heads=6); a name for blocks is given with: let NAME = …"
    elif at_statement and token.type in ("LPAR", "OPEN_CALL"):
        help = "arguments follow their block without a space: M(heads=6)"
    elif token.type in ("INT", "FLOAT", "SIZE", "SHAPE") and "NAME" in expected and "INT" not in expected:
        help = "a number stands in an argument, as in conv(64), or after '*', as in C*3"
    elif at_statement and token.type in ("LSQB", "LBRACE"):
        help = "blocks stand in a stage: stage(64)[C C M]"
    elif token.type == "TIMES":
        help = "'*' repeats the block, group or choice before it: C*3"
    else:
        help = _expected(expected)
    return Diagnostic(message, span, help)


def _end_of_file(error: UnexpectedInput, text: str) -> Diagnostic:
    lines = text.rstrip().splitlines() or [""]
    line, column = len(lines), len(lines[-1].rstrip()) + 1
    expected = set(getattr(error, "expected", ()) or ())
    return Diagnostic("the file ends too early", Span(line, column, line, column + 1), _expected(expected))


def _expected(expected: set[str]) -> str | None:
    if "STAGE" in expected and "HEAD" in expected:
        rest = "a block, or " if "NAME" in expected else ""
        return f"here can stand: {rest}a statement ({', '.join(STATEMENTS)})"
    shown = sorted({_SHOWN.get(name, f"'{name.lower()}'") for name in expected - {"$END"}}, key=lambda s: (s[0] == "'", s))
    return f"here can stand: {', '.join(shown)}" if shown else None


def _statement_list() -> str:
    return f"statements are: {', '.join(STATEMENTS)}"


