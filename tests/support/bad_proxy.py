"""Stands between us and a real node and misbehaves as real networks and providers do."""

import json
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import rlp
from eth_account import Account
from eth_utils.crypto import keccak

FORWARD_SECONDS = 30
_BLOCK_NUMBER = b'{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber","params":[]}'
DRIP_SECONDS = 1.0  # between two bytes


class BadProxy:
    """Forwards to `upstream` in the way `mode` says.

    Modes: pass, cut (no answer), lose (the node did it, the answer is cut off), drip (1 byte/s), status:<n>,
    junk, half (truncated JSON), other_chain (another chain id), empty_list, shuffled (batch answers reversed),
    lag:<block> (nothing above that block exists yet), forget (takes transactions and has none of them
    a moment later; with `forgets` only this sender's of this nonce).
    `only` limits the mode to requests that name this method. `seen` counts the methods that arrived.
    """

    def __init__(self, upstream: str) -> None:
        self.upstream, self.mode, self.only = upstream, "pass", ""
        self.forgets: tuple[str, int] | None = None
        self.seen: dict[str, int] = {}
        self._frozen: dict[str, Any] = {}
        self._ended = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def freeze_head(self) -> None:
        """From now on the newest block is the one of now, as with a node that fell asleep."""
        self._frozen = {"eth_blockNumber": json.loads(self._forward(_BLOCK_NUMBER))["result"]}

    def answer(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        calls = json.loads(body)
        methods = [call["method"] for call in (calls if isinstance(calls, list) else [calls])]
        for method in methods:
            self.seen[method] = self.seen.get(method, 0) + 1
        mode = self.mode if not self.only or self.only in methods else "pass"
        if mode == "cut":
            handler.close_connection = True
            return
        if mode.startswith("status:"):
            _send(handler, b'{"error":"no"}', int(mode.partition(":")[2]))
            return
        if mode.startswith("lag:"):
            _send(handler, self._lagging(calls, int(mode.partition(":")[2])), 200)
            return
        if mode == "forget":
            _send(handler, self._forgetting(calls), 200)
            return
        reply = b"<html>Bad gateway</html>" if mode == "junk" else self._forward(body)
        if mode == "lose":
            handler.close_connection = True
            return
        if mode == "drip":
            self._drip(handler, reply)
            return
        _send(handler, self._with_old_head(calls, _bent(reply, mode)), 200)

    def _lagging(self, calls: Any, head: int) -> bytes:
        """What a node says that has not got beyond `head` yet."""
        many = calls if isinstance(calls, list) else [calls]
        for call in many:
            if call["method"] == "eth_getBlockByNumber" and call["params"][0] == "latest":
                call["params"][0] = hex(head)
        answers = json.loads(self._forward(json.dumps(many).encode()))
        asked = {call["id"]: call for call in many}
        for said in answers:
            call = asked[said["id"]]
            if call["method"] == "eth_blockNumber":
                said["result"] = hex(head)
            elif call["method"] == "eth_getBlockByNumber" and int(call["params"][0], 16) > head:
                said["result"] = None
        return json.dumps(answers if isinstance(calls, list) else answers[0]).encode()

    def _forgetting(self, calls: Any) -> bytes:
        """What a node says that drops what it took: the hash of each transaction, which it never passes on."""
        many = calls if isinstance(calls, list) else [calls]
        taken = [call for call in many if call["method"] == "eth_sendRawTransaction" and self._forgotten(call)]
        rest = [call for call in many if call not in taken]
        answers = json.loads(self._forward(json.dumps(rest).encode())) if rest else []
        for call in taken:
            name = "0x" + keccak(hexstr=call["params"][0]).hex()
            answers.append({"jsonrpc": "2.0", "id": call["id"], "result": name})
        return json.dumps(answers if isinstance(calls, list) else answers[0]).encode()

    def _forgotten(self, call: Any) -> bool:
        raw = call["params"][0]
        return self.forgets in (None, (Account.recover_transaction(raw).lower(), nonce_of(raw)))

    def _with_old_head(self, calls: Any, reply: bytes) -> bytes:
        if not self._frozen:
            return reply
        asked = {call["id"]: call["method"] for call in (calls if isinstance(calls, list) else [calls])}
        answers = json.loads(reply)
        for said in answers if isinstance(answers, list) else [answers]:
            if asked[said["id"]] in self._frozen:
                said["result"] = self._frozen[asked[said["id"]]]
        return json.dumps(answers).encode()

    def _forward(self, body: bytes) -> bytes:
        request = urllib.request.Request(self.upstream, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=FORWARD_SECONDS) as answer:
            return bytes(answer.read())

    def _drip(self, handler: BaseHTTPRequestHandler, reply: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(reply)))
        handler.end_headers()
        for index in range(len(reply)):
            handler.wfile.write(reply[index : index + 1])
            handler.wfile.flush()
            if self._ended.wait(DRIP_SECONDS):
                return

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                try:
                    proxy.answer(self, self.rfile.read(int(self.headers["Content-Length"])))
                except OSError:
                    self.close_connection = True  # the node or the client is gone: so is the answer

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
                pass

        return Handler


def nonce_of(raw: str) -> int:
    """Of a signed transaction with a fee market (EIP-1559): the second field of its list."""
    return int.from_bytes(rlp.decode(bytes.fromhex(raw.removeprefix("0x"))[1:])[1])


def _bent(reply: bytes, mode: str) -> bytes:
    if mode == "half":
        return reply[: len(reply) // 2]
    if mode == "empty_list":
        return b"[]"
    if mode == "shuffled":
        answers = json.loads(reply)
        return json.dumps(answers[::-1] if isinstance(answers, list) else answers).encode()
    if mode == "other_chain":
        return reply.replace(b'"0x7a69"', b'"0x1"')
    return reply


def _send(handler: BaseHTTPRequestHandler, body: bytes, status: int) -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)
