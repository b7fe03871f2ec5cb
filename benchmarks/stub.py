"""A loopback server that answers every chat request from bytes made beforehand; it parses nothing but the length.

    python benchmarks/stub.py

It prints its port. A body with `"stream":true` gets `CHUNKS` events, in writes of 64 events; one with `"tools"` a
tool call, one with `"response_format"` a JSON answer, any other one reply.
"""

import asyncio
import json

CHUNKS = 400
EVENTS_PER_WRITE = 64


def _build_reply(message: dict, finish: str = "stop") -> bytes:
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1790000000,
        "model": "stub",
        "choices": [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}],
        "usage": {"prompt_tokens": 19, "completion_tokens": 8, "total_tokens": 27},
    }
    data = json.dumps(body).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(data) + data


def _build_stream() -> bytes:
    def event(delta: dict, finish: str | None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1790000000, "model": "stub"}
        return b"data: " + json.dumps({**head, "system_fingerprint": "fp_1", "choices": [choice]}).encode() + b"\n\n"

    events = [event({"content": f" word{number}"}, None) for number in range(CHUNKS)]
    events += [event({}, "stop"), b"data: [DONE]\n\n"]
    writes = [b"".join(events[at : at + EVENTS_PER_WRITE]) for at in range(0, len(events), EVENTS_PER_WRITE)]
    chunked = b"".join(b"%x\r\n%b\r\n" % (len(write), write) for write in writes)
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    return head + chunked + b"0\r\n\r\n"


PLAIN, STREAM = _build_reply({"content": "Hello! How can I help?"}), _build_stream()
FUNCTION = {"name": "weather", "arguments": '{"city": "Paris", "days": 2}'}
TOOL = {"id": "call_1", "type": "function", "function": FUNCTION}
CALL = _build_reply({"content": None, "tool_calls": [TOOL]}, "tool_calls")
JSON = _build_reply({"content": '{"name": "Paris", "country": "France", "inhabitants": 2100000}'})


class Stub(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].lower()
            length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
            stop = end + 4 + length
            if len(self.buffer) < stop:
                return
            body, self.buffer = self.buffer[end + 4 : stop], self.buffer[stop:]
            streamed = b'"stream":true' in body or b'"stream": true' in body
            kind = CALL if b'"tools"' in body else JSON if b'"response_format"' in body else PLAIN
            self.transport.write(STREAM if streamed else kind)


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Stub, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
