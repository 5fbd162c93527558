"""An editor for tests and benchmarks: it starts `archdsl lsp` and speaks the protocol with it over pipes."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

Json = dict[str, Any]
HEADER = b"Content-Length: "
PATIENCE = 120.0  # seconds for any answer; how quick the server is, `benchmarks/editor.py` measures


class Refused(Exception):
    """The server answered with an error."""


class Editor:
    """One session. Whatever is not the protocol on the server's standard output ends it with an error."""

    def __init__(self, encodings: list[str] | None = None, snippets: bool = True, folder: Path | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *(["-P"] if folder else []), "-m", "archdsl", "lsp"],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.errors: list[bytes] = []
        self.inbox: queue.Queue[Json | Exception] = queue.Queue()
        self.published: dict[str, list[Json]] = {}
        self.count = 0
        threading.Thread(target=self._read, daemon=True).start()
        self.listener = threading.Thread(target=self._listen, daemon=True)
        self.listener.start()
        general = {"positionEncodings": encodings} if encodings else {}
        item = {"completionItem": {"snippetSupport": snippets}}
        texts = {"completion": item, "rename": {"prepareSupport": True}}
        capabilities = {"general": general, "textDocument": texts}
        found = self.ask("initialize", {"processId": None, "rootUri": None, "capabilities": capabilities})
        self.capabilities = found["capabilities"]
        self.tell("initialized", {})

    # ---- messages ----

    def _listen(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.errors.append(line)

    def _read(self) -> None:
        out = self.process.stdout
        assert out is not None
        try:
            while line := out.readline():
                length = 0
                while line != b"\r\n":
                    if line.startswith(HEADER):
                        length = int(line.removeprefix(HEADER))
                    elif not line.startswith(b"Content-Type: "):
                        raise ValueError(f"not the protocol: {line!r}")
                    line = out.readline()
                self.inbox.put(json.loads(out.read(length)))
        except Exception as error:
            self.inbox.put(error)

    def send(self, content: Json) -> None:
        body = json.dumps({"jsonrpc": "2.0"} | content).encode()
        assert self.process.stdin is not None
        self.process.stdin.write(HEADER + str(len(body)).encode() + b"\r\n\r\n" + body)
        self.process.stdin.flush()

    def tell(self, method: str, params: Any) -> None:
        self.send({"method": method, "params": params})

    def post(self, method: str, params: Any) -> int:
        """Ask without waiting; the number of the question."""
        self.count += 1
        self.send({"id": self.count, "method": method, "params": params})
        return self.count

    def ask(self, method: str, params: Any, timeout: float = PATIENCE) -> Any:
        return self.answer(self.post(method, params), timeout)

    def answer(self, number: int, timeout: float = PATIENCE) -> Any:
        while (message := self._next(timeout)).get("id") != number:
            self._file(message)
        if "error" in message:
            raise Refused(message["error"]["message"])
        return message["result"]

    def _next(self, timeout: float) -> Json:
        message = self.inbox.get(timeout=timeout)
        if isinstance(message, Exception):
            raise message
        return message

    def _file(self, message: Json) -> None:
        if message.get("method") == "textDocument/publishDiagnostics":
            self.published.setdefault(message["params"]["uri"], []).append(message["params"])
        elif message.get("method") in ("window/showMessage", "window/logMessage"):
            raise ValueError(f"the server complains: {message['params']['message']}")

    # ---- texts ----

    def open(self, uri: str, text: str) -> None:
        document = {"uri": uri, "languageId": "arch", "version": 1, "text": text}
        self.tell("textDocument/didOpen", {"textDocument": document})

    def change(self, uri: str, text: str, version: int) -> None:
        document = {"uri": uri, "version": version}
        self.tell("textDocument/didChange", {"textDocument": document, "contentChanges": [{"text": text}]})

    def close(self, uri: str) -> None:
        self.tell("textDocument/didClose", {"textDocument": {"uri": uri}})

    def diagnostics(self, uri: str, version: int | None, number: int = 1, timeout: float = PATIENCE) -> list[Json]:
        """What is published about a version; the `number`-th time it is."""
        end = time.monotonic() + timeout
        while True:
            found = [p for p in self.published.get(uri, []) if p.get("version") == version]
            if len(found) >= number:
                return found[number - 1]["diagnostics"]
            self._file(self._next(max(0.01, end - time.monotonic())))

    def about(self, method: str, uri: str, **params: Any) -> Any:
        return self.ask(f"textDocument/{method}", {"textDocument": {"uri": uri}, **params})

    # ---- the end ----

    def leave(self, shutdown: bool = True) -> int:
        if shutdown:
            self.ask("shutdown", None)
        self.tell("exit", None)
        return self.process.wait(timeout=PATIENCE)
