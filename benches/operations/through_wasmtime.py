"""The operations through wasmtime: `python3 through_wasmtime.py PLAN MODULE DIRECTORY PREOPEN`, a line of JSON for each."""
import json
import sys
import time

import wasmtime

plan, module, directory, preopen = sys.argv[1:]
PATH, SECOND_PATH = 1024, 4096

engine = wasmtime.Engine()
linker = wasmtime.Linker(engine)
linker.define_wasi()
store = wasmtime.Store(engine)
config = wasmtime.WasiConfig()
config.preopen_dir(directory, preopen)
store.set_wasi(config)
with open(module) as text:
    compiled = wasmtime.Module(engine, wasmtime.wat2wasm(text.read()))
exports = linker.instantiate(store, compiled).exports(store)

with open(plan) as text:
    operations = json.load(text)
for operation in operations:
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
