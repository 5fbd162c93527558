"""Translates what the rest of the editor finds into types of the Language Server Protocol."""

from __future__ import annotations

from lsprotocol import types

from archdsl.base.errors import Diagnostic
from archdsl.editor.analysis import Analysis
from archdsl.editor.completion import Candidate
from archdsl.editor.hover import argument_text
from archdsl.editor.outline import Hint, Signature, Symbol
from archdsl.editor.positions import Lines, Stretch

_SORTS = {
    "keyword": types.CompletionItemKind.Keyword,
    "block": types.CompletionItemKind.Class,
    "let": types.CompletionItemKind.Variable,
    "structure": types.CompletionItemKind.Module,
    "argument": types.CompletionItemKind.Property,
    "value": types.CompletionItemKind.EnumMember,
    "score": types.CompletionItemKind.Event,
    "measure": types.CompletionItemKind.Function,
    "data": types.CompletionItemKind.File,
}
_SYMBOLS = {
    "stage": types.SymbolKind.Module,
    "let": types.SymbolKind.Variable,
    "block": types.SymbolKind.Class,
    "model": types.SymbolKind.File,
    "require": types.SymbolKind.Boolean,
    "maximize": types.SymbolKind.Event,
    "minimize": types.SymbolKind.Event,
}


def position(lines: Lines, offset: int) -> types.Position:
    """A place."""
    return types.Position(*lines.position(offset))


def range_of(lines: Lines, stretch: Stretch) -> types.Range:
    """A stretch."""
    return types.Range(position(lines, stretch.start), position(lines, stretch.end))


def markdown(text: str) -> types.MarkupContent:
    """Words with markup."""
    return types.MarkupContent(types.MarkupKind.Markdown, text)


def edit(lines: Lines, stretch: Stretch, new: str) -> types.TextEdit:
    """A change of the text."""
    return types.TextEdit(range_of(lines, stretch), new)


def diagnostic(lines: Lines, mistake: Diagnostic) -> types.Diagnostic:
    """A mistake with its help line."""
    message = mistake.message if mistake.help is None else f"{mistake.message}\nhelp: {mistake.help}"
    return types.Diagnostic(
        range_of(lines, lines.stretch(mistake.span)), message, types.DiagnosticSeverity.Error, source="archdsl"
    )


def completion(lines: Lines, rank: int, candidate: Candidate, stretch: Stretch, snippets: bool) -> types.CompletionItem:
    """A candidate; where the editor knows no snippets only the word is written."""
    insert = candidate.insert if snippets and candidate.insert else candidate.label
    snippet = insert != candidate.label
    return types.CompletionItem(
        candidate.label,
        kind=_SORTS[candidate.sort],
        detail=candidate.detail or None,
        documentation=markdown(candidate.help) if candidate.help else None,
        sort_text=f"{rank:03}",
        text_edit=edit(lines, stretch, insert),
        insert_text_format=types.InsertTextFormat.Snippet if snippet else types.InsertTextFormat.PlainText,
    )


def symbol(lines: Lines, found: Symbol) -> types.DocumentSymbol:
    """A statement of the outline."""
    return types.DocumentSymbol(
        found.name,
        _SYMBOLS.get(found.keyword, types.SymbolKind.Property),
        range_of(lines, found.whole),
        range_of(lines, found.selected),
        detail=found.detail or None,
    )


def hint(lines: Lines, found: Hint) -> types.InlayHint:
    """Words shown after a stage."""
    return types.InlayHint(position(lines, found.offset), found.label, padding_left=True, tooltip=markdown(found.help))


def signature(found: Signature) -> types.SignatureHelp:
    """The arguments of a call, the one being written marked."""
    parameters: list[types.ParameterInformation] = []
    start = found.label.index("(") + 1
    for argument in found.arguments:
        end = start + len(argument.label)
        parameters.append(types.ParameterInformation((start, end), markdown(argument_text(argument))))
        start = end + len(", ")
    # An index beyond the last marks none of them.
    active = len(parameters) if found.active is None else found.active
    return types.SignatureHelp([types.SignatureInformation(found.label, None, parameters)], 0, active)


def actions(analysis: Analysis, uri: str, fixes: list[tuple[Diagnostic, Stretch, str]]) -> list[types.CodeAction]:
    """Quick fixes."""
    return [
        types.CodeAction(
            f"Change to '{new}'",
            kind=types.CodeActionKind.QuickFix,
            diagnostics=[diagnostic(analysis.lines, mistake)],
            is_preferred=True,
            edit=types.WorkspaceEdit({uri: [edit(analysis.lines, stretch, new)]}),
        )
        for mistake, stretch, new in fixes
    ]
