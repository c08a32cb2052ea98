"""Embeds libwasmer in CPython by ctypes, on a thread of Python's, and opens a file natively on another one.

    python3 embedder.py LIBRARY MODULE DIRECTORY FORBIDDEN
"""

import ctypes
import os
import sys
import threading

LIBRARY, MODULE, DIRECTORY, FORBIDDEN = sys.argv[1:]


class Vector(ctypes.Structure):
    """A `wasm_byte_vec_t`, or a vector of pointers or values."""

    _fields_ = [("size", ctypes.c_size_t), ("data", ctypes.c_void_p)]


wasmer = ctypes.CDLL(LIBRARY)
for name in (
    "wasm_engine_new wasm_store_new wasm_module_new wasi_config_new wasi_env_new wasm_instance_new"
    " wasi_get_start_function wasm_func_call"
).split():
    getattr(wasmer, name).restype = ctypes.c_void_p
for name in "wasi_get_imports wasi_env_initialize_instance wasi_config_mapdir".split():
    getattr(wasmer, name).restype = ctypes.c_bool


def made(pointer):
    """A pointer to what was made."""
    if not pointer:
        length = wasmer.wasmer_last_error_length()
        text = ctypes.create_string_buffer(max(length, 1))
        wasmer.wasmer_last_error_message(text, length)
        raise RuntimeError(text.value.decode())
    return ctypes.c_void_p(pointer)


def make_key():
    """Has OpenSSL make a key."""
    with open(MODULE, "rb") as file:
        content = file.read()
    engine = made(wasmer.wasm_engine_new())
    store = made(wasmer.wasm_store_new(engine))
    data = ctypes.create_string_buffer(content, len(content))
    module = made(wasmer.wasm_module_new(store, ctypes.byref(Vector(len(content), ctypes.addressof(data)))))
    config = made(wasmer.wasi_config_new(b"openssl"))
    for argument in (b"genrsa", b"-out", b"/keys/key.pem", b"1024"):
        wasmer.wasi_config_arg(config, argument)
    assert wasmer.wasi_config_mapdir(config, b"/keys", DIRECTORY.encode())
    env = made(wasmer.wasi_env_new(store, config))
    imports, nothing = Vector(), Vector()
    assert wasmer.wasi_get_imports(store, env, module, ctypes.byref(imports))
    instance = made(wasmer.wasm_instance_new(store, module, ctypes.byref(imports), None))
    assert wasmer.wasi_env_initialize_instance(env, store, instance)
    start = made(wasmer.wasi_get_start_function(instance))
    wasmer.wasm_func_call(start, ctypes.byref(nothing), ctypes.byref(nothing))
    wasmer.wasi_env_delete(env)


def native_open():
    """Opens what nobody granted, as Python code does."""
    try:
        os.close(os.open(FORBIDDEN, os.O_RDONLY))
        print("native open: succeeds")
    except OSError as error:
        print(f"native open: error {error.errno}")


waiting = threading.Event()
idle = threading.Thread(target=lambda: (waiting.wait(), native_open()))
idle.start()
thread = threading.Thread(target=make_key)
thread.start()
thread.join()
print("key:", "made" if os.path.exists(os.path.join(DIRECTORY, "key.pem")) else "not there")
native_open()
waiting.set()
idle.join()
sys.stdout.flush()
# The library's threads may still run.
os._exit(0)
