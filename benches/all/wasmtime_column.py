"""The column for wasmtime.

    python3 wasmtime_column.py operations PLAN MODULE DIRECTORY PREOPEN    a line of JSON for each operation
    python3 wasmtime_column.py compile RUN                                 keeps the compiled module
    python3 wasmtime_column.py run RUN                                     says when it begins, and runs it
"""
import json
import sys
import time

import wasmtime
from wasmtime_runner import compile, linked, run

PATH, SECOND_PATH = 1024, 4096


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


if sys.argv[1] == "operations":
    operations(*sys.argv[2:])
else:
    with open(sys.argv[2]) as file:
        described = json.load(file)
    if sys.argv[1] == "run":
        # The interpreter's own start, until here, is not wasmtime's.
        print("begun", flush=True)
    {"compile": compile, "run": run}[sys.argv[1]](described)
