"""Runs programs on wasmtime's Python package.

    python3 wasmtime_runner.py compile RUN    keeps the compiled module
    python3 wasmtime_runner.py run RUN        runs it, and exits as it does

RUN is a file that describes the run, as `src/runner.rs` has it. The benchmarks' column for wasmtime imports this file.
"""
import json
import os
import sys
import time

import wasmtime


def engine():
    config = wasmtime.Config()
    # As in programs from C++, which use them.
    config.wasm_exceptions = True
    return wasmtime.Engine(config)


def linked(directories, arguments=(), environment=()):
    made = engine()
    linker = wasmtime.Linker(made)
    linker.define_wasi()
    store = wasmtime.Store(made)
    config = wasmtime.WasiConfig()
    if arguments:
        config.argv = arguments
        config.env = environment
        config.inherit_stdin()
        config.inherit_stdout()
        config.inherit_stderr()
    for host, guest in directories:
        config.preopen_dir(host, guest)
    store.set_wasi(config)
    return made, linker, store


def kept(run):
    return os.path.join(run["cache"], os.path.basename(run["module"]) + ".cwasm")


def compile(run):
    with open(run["module"], "rb") as file:
        text = file.read()
    if not text.startswith(b"\0asm"):
        text = wasmtime.wat2wasm(text)
    module = wasmtime.Module(engine(), text)
    os.makedirs(run["cache"], exist_ok=True)
    with open(kept(run), "wb") as file:
        file.write(module.serialize())


def run(run):
    begun = time.perf_counter()
    made, linker, store = linked(run["directories"], run["arguments"], run.get("environment", []))
    module = wasmtime.Module.deserialize_file(made, kept(run))
    load = time.perf_counter() - begun
    begun = time.perf_counter()
    start = linker.instantiate(store, module).exports(store)["_start"]
    code = 0
    try:
        start(store)
    except wasmtime.ExitTrap as ended:
        code = ended.code
    took = time.perf_counter() - begun
    if code == 0:
        with open("/proc/self/status") as status:
            peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
        measured = {"load": load * 1e3, "run": took * 1e3, "peak": peak / 1024, "compile": 0, "size": 0}
        with open(run["output"], "w") as file:
            json.dump(measured, file)
    # The interpreter's end is not wasmtime's either.
    os._exit(code)


if __name__ == "__main__":
    with open(sys.argv[2]) as file:
        described = json.load(file)
    {"compile": compile, "run": run}[sys.argv[1]](described)
