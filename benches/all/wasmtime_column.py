"""The column for wasmtime.

    python3 wasmtime_column.py operations PLAN MODULE DIRECTORY PREOPEN    a line of JSON for each operation
    python3 wasmtime_column.py compile RUN                                 keeps the compiled module
    python3 wasmtime_column.py run RUN                                     says when it begins, and runs it
"""
import json
import os
import sys
import time

import wasmtime

PATH, SECOND_PATH = 1024, 4096


def linked(directories, arguments=()):
    engine = wasmtime.Engine()
    linker = wasmtime.Linker(engine)
    linker.define_wasi()
    store = wasmtime.Store(engine)
    config = wasmtime.WasiConfig()
    if arguments:
        config.argv = arguments
        config.inherit_stdin()
        config.inherit_stdout()
        config.inherit_stderr()
    for host, guest in directories:
        config.preopen_dir(host, guest)
    store.set_wasi(config)
    return engine, linker, store


def operations(plan, module, directory, preopen):
    engine, linker, store = linked([(directory, preopen)])
    with open(module) as text:
        compiled = wasmtime.Module(engine, wasmtime.wat2wasm(text.read()))
    exports = linker.instantiate(store, compiled).exports(store)
    with open(plan) as text:
        planned = json.load(text)
    for operation in planned:
        path = operation["path"]
        memory = exports["memory"]
        memory.write(store, path.encode(), PATH)
        memory.write(store, path.replace("rename", "eraner").encode(), SECOND_PATH)
        exports["use"](store, 3, len(path))
        function = exports[operation["call"]]
        begun = time.perf_counter()
        errno = function(store, operation["count"])
        took = time.perf_counter() - begun
        if errno != 0:
            sys.exit(f"{operation['name']}: error number {errno}")
        needs = operation["needs"]
        if isinstance(needs, dict) and "Entries" in needs:
            found = exports["entries"].value(store)
            if found != needs["Entries"] + 2:
                sys.exit(f"{operation['name']}: found {found}")
        print(json.dumps([operation["name"], took * 1e6 / operation["count"]]), flush=True)


def kept(run):
    return os.path.join(run["cache"], os.path.basename(run["module"]) + ".cwasm")


def compile(run):
    with open(run["module"], "rb") as file:
        text = file.read()
    if not text.startswith(b"\0asm"):
        text = wasmtime.wat2wasm(text)
    module = wasmtime.Module(wasmtime.Engine(), text)
    os.makedirs(run["cache"], exist_ok=True)
    with open(kept(run), "wb") as file:
        file.write(module.serialize())


def run(run):
    # From here on: the interpreter's own start is not wasmtime's.
    print("begun", flush=True)
    begun = time.perf_counter()
    engine, linker, store = linked(run["directories"], run["arguments"])
    module = wasmtime.Module.deserialize_file(engine, kept(run))
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
    # Nor is its end.
    os._exit(code)


if sys.argv[1] == "operations":
    operations(*sys.argv[2:])
else:
    with open(sys.argv[2]) as file:
        described = json.load(file)
    {"compile": compile, "run": run}[sys.argv[1]](described)
