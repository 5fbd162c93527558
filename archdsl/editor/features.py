"""Answers the requests of an editor about an open text."""

from __future__ import annotations

from typing import Any

from lsprotocol import types

from archdsl.base.errors import SpecError
from archdsl.editor import outline, protocol
from archdsl.editor.completion import complete
from archdsl.editor.documents import Document
from archdsl.editor.hover import hover, token_at
from archdsl.editor.names import Definition
from archdsl.editor.positions import Stretch
from archdsl.editor.renaming import rename, renameable
from archdsl.editor.requests import answers, server


def offset(document: Document, params: Any) -> int:
    """Where the cursor stands."""
    return document.lines.offset(params.position.line, params.position.character)


# ---- at the cursor -------------------------------------------------------------------------------------------


@answers(types.TEXT_DOCUMENT_HOVER)
def on_hover(document: Document, params: types.HoverParams) -> types.Hover | None:
    """What stands there."""
    found = hover(document.analysis, offset(document, params))
    if found is None:
        return None
    return types.Hover(protocol.markdown(found[0]), protocol.range_of(document.lines, found[1]))


@answers(types.TEXT_DOCUMENT_COMPLETION, types.CompletionOptions(trigger_characters=list("([{|=, *")))
def on_completion(document: Document, params: types.CompletionParams) -> types.CompletionList:
    """What could stand there."""
    candidates, stretch = complete(document.text, offset(document, params), document.analysis.names)
    capable = server.client_capabilities.text_document
    item = capable.completion.completion_item if capable and capable.completion else None
    snippets = bool(item and item.snippet_support)
    items = [
        protocol.completion(document.lines, rank, candidate, stretch, snippets)
        for rank, candidate in enumerate(candidates)
    ]
    return types.CompletionList(is_incomplete=False, items=items)


@answers(types.TEXT_DOCUMENT_SIGNATURE_HELP, types.SignatureHelpOptions(trigger_characters=["(", ","]))
def on_signature(document: Document, params: types.SignatureHelpParams) -> types.SignatureHelp | None:
    """What the call around it takes."""
    found = outline.signature(document.analysis, offset(document, params))
    return None if found is None else protocol.signature(found)


def uses(document: Document, params: Any) -> tuple[Definition, list[Stretch]] | None:
    """What the name under the cursor is defined by, and every place of it."""
    analysis = document.analysis
    token = token_at(analysis, offset(document, params))
    definition = None if token is None else analysis.names.definition(token)
    return None if definition is None else (definition, [t.stretch for t in analysis.names.uses(definition)])


@answers(types.TEXT_DOCUMENT_DEFINITION)
def on_definition(document: Document, params: types.DefinitionParams) -> types.Location | None:
    """Where a name is defined."""
    found = uses(document, params)
    if found is None:
        return None
    return types.Location(document.uri, protocol.range_of(document.lines, found[0].token.stretch))


@answers(types.TEXT_DOCUMENT_REFERENCES)
def on_references(document: Document, params: types.ReferenceParams) -> list[types.Location]:
    """Where a name is used."""
    found = uses(document, params)
    if found is None:
        return []
    definition, places = found
    if not params.context.include_declaration:
        places = [place for place in places if place != definition.token.stretch]
    return [types.Location(document.uri, protocol.range_of(document.lines, place)) for place in places]


@answers(types.TEXT_DOCUMENT_DOCUMENT_HIGHLIGHT)
def on_highlight(document: Document, params: types.DocumentHighlightParams) -> list[types.DocumentHighlight]:
    """Every place of a name."""
    found = uses(document, params)
    write, read = types.DocumentHighlightKind.Write, types.DocumentHighlightKind.Read
    return [] if found is None else [
        types.DocumentHighlight(
            protocol.range_of(document.lines, place), write if place == found[0].token.stretch else read
        )
        for place in found[1]
    ]  # fmt: skip


@answers(types.TEXT_DOCUMENT_PREPARE_RENAME)
def on_prepare_rename(document: Document, params: types.PrepareRenameParams) -> types.Range:
    """What would be renamed."""
    token, _ = renameable(document.analysis, offset(document, params))
    return protocol.range_of(document.lines, token.stretch)


@answers(types.TEXT_DOCUMENT_RENAME, types.RenameOptions(prepare_provider=True))
def on_rename(document: Document, params: types.RenameParams) -> types.WorkspaceEdit:
    """A new name at every place."""
    edits = rename(document.analysis, offset(document, params), params.new_name)
    return types.WorkspaceEdit({document.uri: [protocol.edit(document.lines, *edit) for edit in edits]})


# ---- the whole text ------------------------------------------------------------------------------------------


@answers(types.TEXT_DOCUMENT_DOCUMENT_SYMBOL)
def on_symbols(document: Document, params: types.DocumentSymbolParams) -> list[types.DocumentSymbol]:
    """Its statements."""
    return [protocol.symbol(document.lines, found) for found in outline.symbols(document.analysis)]


@answers(types.TEXT_DOCUMENT_INLAY_HINT)
def on_hints(document: Document, params: types.InlayHintParams) -> list[types.InlayHint]:
    """Shapes after the stages in sight."""
    start, end = (document.lines.offset(p.line, p.character) for p in (params.range.start, params.range.end))
    found = outline.hints(document.analysis)
    return [protocol.hint(document.lines, hint) for hint in found if start <= hint.offset <= end]


@answers(types.TEXT_DOCUMENT_CODE_ACTION, types.CodeActionOptions([types.CodeActionKind.QuickFix]))
def on_actions(document: Document, params: types.CodeActionParams) -> list[types.CodeAction]:
    """Quick fixes of the mistakes in a range."""
    analysis = document.analysis
    start, end = (document.lines.offset(p.line, p.character) for p in (params.range.start, params.range.end))
    near = [m for m in analysis.mistakes if _touches(document.lines.stretch(m.span), start, end)]
    fixes = [(mistake, *found) for mistake in near if (found := outline.fix(analysis, mistake))]
    return protocol.actions(analysis, document.uri, fixes)


def _touches(stretch: Stretch, start: int, end: int) -> bool:
    return stretch.start <= end and start <= stretch.end


@answers(types.TEXT_DOCUMENT_FORMATTING)
def on_formatting(document: Document, params: types.DocumentFormattingParams) -> list[types.TextEdit]:
    """The canonical form; nothing while the syntax is broken."""
    from archdsl.language.formatting import format_text

    try:
        formatted = format_text(document.text)
    except SpecError:
        return []
    if formatted == document.text:
        return []
    return [protocol.edit(document.lines, Stretch(0, len(document.text)), formatted)]
