"""A YAML language server as an editor drives it: JSON-RPC over stdin and stdout."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
from pathlib import Path

#: seconds for an answer, on a busy machine
PATIENCE = 60


class LanguageServer:
    """A running server; positions count lines and columns from 0."""

    def __init__(self, folder: Path):
        script = folder / "node_modules/yaml-language-server/bin/yaml-language-server"
        self._process = subprocess.Popen(
            ["node", script, "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._messages: queue.Queue[dict] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()
        self._number = 0
        capabilities = {"textDocument": {"completion": {}, "hover": {}, "publishDiagnostics": {}}}
        self.ask("initialize", processId=None, rootUri=None, capabilities=capabilities)
        self._send("initialized")
        # Nothing is fetched: no store of schemas, and no schema but the one that a file names.
        settings = {"validate": True, "hover": True, "completion": True, "schemaStore": {"enable": False}}
        self._send("workspace/didChangeConfiguration", settings={"yaml": settings})

    def opened(self, text: str, uri: str) -> list[str]:
        """The messages of what is wrong with a document, each after its line."""
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self._send("textDocument/didOpen", textDocument=document)
        found = self._await(lambda message: message.get("params", {}).get("uri") == uri)["params"]["diagnostics"]
        return [f"{text.splitlines()[one['range']['start']['line']].strip()}: {one['message']}" for one in found]

    def hover(self, uri: str, line: int, column: int) -> str:
        """The text that is shown at a position."""
        found = self.ask("textDocument/hover", textDocument={"uri": uri}, position={"line": line, "character": column})
        return found["contents"]["value"] if found else ""

    def completion(self, uri: str, line: int, column: int) -> set[str]:
        """What is offered at a position."""
        place = {"line": line, "character": column}
        found = self.ask("textDocument/completion", textDocument={"uri": uri}, position=place)
        return {one["label"] for one in (found["items"] if isinstance(found, dict) else found)}

    def ask(self, method: str, **params):
        """The result of a request."""
        self._number += 1
        number = self._number
        self._send(method, id=number, **params)
        return self._await(lambda message: message.get("id") == number and "method" not in message)["result"]

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

    def _send(self, method: str, id: int | None = None, **params) -> None:
        message = {"jsonrpc": "2.0", "method": method, "params": params, **({"id": id} if id else {})}
        self._write(message)

    def _write(self, message: dict) -> None:
        body = json.dumps(message).encode()
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._process.stdin.flush()

    def _await(self, wanted) -> dict:
        while True:
            message = self._messages.get(timeout=PATIENCE)
            if wanted(message):
                return message

    def _listen(self) -> None:
        out = self._process.stdout
        while header := out.readline():
            if header.lower().startswith(b"content-length:"):
                length = int(header.split(b":")[1])
                while out.readline().strip():
                    pass
                message = json.loads(out.read(length))
                if "id" in message and "method" in message:
                    # The server asks for settings or to register what it can do; it needs an answer.
                    items = message.get("params", {}).get("items")
                    self._write(
                        {"jsonrpc": "2.0", "id": message["id"], "result": [None] * len(items) if items else None}
                    )
                self._messages.put(message)
