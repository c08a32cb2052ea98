#!/usr/bin/env python3
"""Makes the comparison's calls on wasmtime's Python package, as `src/worker` does on the fork.

    wasix-landlock-differential other wasmtime upstream-tests/differential/wasmtime_worker.py
"""
import json
import os
import socket
import sys

import wasmtime

# As `src/guest/text.rs` has them.
DATA = 0x1_0000
ANSWER = DATA + 0x4_0000


def signed(value, kind):
    bits = 64 if kind == wasmtime.ValType.i64() else 32
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def answer(store, exports, call):
    function, memory = exports[call["function"]], exports["memory"]
    kinds = function.type(store).params
    arguments = [signed(value, kind) for value, kind in zip(call["arguments"], kinds)]
    memory.write(store, bytes(call["data"]), DATA)
    try:
        number = function(store, *arguments)
    except wasmtime.Trap as trap:
        return {"Trapped": str(trap)}
    return {"Returned": [number, list(memory.read(store, ANSWER, ANSWER + call["answer"]))]}


def main(request):
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(request["socket"])
    engine = wasmtime.Engine()
    linker = wasmtime.Linker(engine)
    linker.define_wasi()
    store = wasmtime.Store(engine)
    config = wasmtime.WasiConfig()
    config.inherit_stdin()
    config.inherit_stdout()
    config.inherit_stderr()
    for name in ("p", "q"):
        config.preopen_dir(os.path.join(request["root"], name), name)
    store.set_wasi(config)
    with open(os.path.join(request["root"], "module.wat")) as file:
        module = wasmtime.Module(engine, wasmtime.wat2wasm(file.read()))
    exports = linker.instantiate(store, module).exports(store)
    connection.sendall(b"ready\n")
    for line in connection.makefile("rb"):
        reply = answer(store, exports, json.loads(line)["Call"])
        connection.sendall(json.dumps(reply).encode() + b"\n")


main(json.loads(sys.argv[2]))
# The interpreter's end is not wasmtime's.
os._exit(0)
