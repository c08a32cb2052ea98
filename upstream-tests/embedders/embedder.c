// A program that embeds libwasmer as others do: by its C interface, with nothing of this project's.
//
//   embedder CASE MODULE DIRECTORY OTHER FORBIDDEN
//
// Runs OpenSSL in environments that the case describes, and then opens FORBIDDEN by itself. Prints a line for each.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "wasmer.h"

static wasm_engine_t *engine;
static wasm_byte_vec_t bytes;

static void fail(const char *what) {
  fprintf(stderr, "embedder: %s\n", what);
  exit(1);
}

static void read_module(const char *path) {
  FILE *file = fopen(path, "rb");
  if (!file) fail("no module");
  fseek(file, 0, SEEK_END);
  long size = ftell(file);
  rewind(file);
  wasm_byte_vec_new_uninitialized(&bytes, size);
  if (fread(bytes.data, size, 1, file) != 1) fail("the module can't be read");
  fclose(file);
}

static wasi_config_t *config_for(const char *const *arguments) {
  wasi_config_t *config = wasi_config_new("openssl");
  for (; *arguments; arguments++) wasi_config_arg(config, *arguments);
  return config;
}

// The environment, or nothing with a line that has the error.
static wasi_env_t *environment(wasm_store_t *store, wasi_config_t *config) {
  wasi_env_t *env = wasi_env_new(store, config);
  if (env) return env;
  int length = wasmer_last_error_length();
  char *text = calloc(1, length + 1);
  wasmer_last_error_message(text, length);
  for (char *at = text; *at; at++)
    if (*at == '\n') *at = ' ';
  printf("environment: %s\n", text);
  free(text);
  return NULL;
}

enum run { RUNS, IS_CAPTURED, IS_THROWN_AWAY };

// Runs the module in an environment of this configuration, or throws it away before its first call.
static void run(wasi_config_t *config, enum run how) {
  if (how == IS_CAPTURED) wasi_config_capture_stdout(config);
  wasm_store_t *store = wasm_store_new(engine);
  wasm_module_t *module = wasm_module_new(store, &bytes);
  if (!module) fail("the module can't be compiled");
  wasi_env_t *env = environment(store, config);
  if (!env) return;
  wasm_extern_vec_t imports;
  if (!wasi_get_imports(store, env, module, &imports)) fail("no imports");
  wasm_instance_t *instance = wasm_instance_new(store, module, &imports, NULL);
  if (!instance) fail("no instance");
  if (!wasi_env_initialize_instance(env, store, instance)) fail("not initialized");
  wasm_func_t *start = wasi_get_start_function(instance);
  if (!start) fail("no start");
  wasm_val_vec_t none = WASM_EMPTY_VEC;
  // A module that calls `proc_exit` ends with a trap.
  wasm_trap_t *trap = how == IS_THROWN_AWAY ? NULL : wasm_func_call(start, &none, &none);
  if (trap) wasm_trap_delete(trap);
  if (how == IS_CAPTURED) {
    char text[256] = {0};
    long length = wasi_env_read_stdout(env, text, sizeof text - 1);
    text[strcspn(text, "\n")] = 0;
    printf("captured: %s\n", length > 0 && *text ? text : "nothing");
  }
  wasm_func_delete(start);
  wasm_instance_delete(instance);
  wasi_env_delete(env);
  wasm_module_delete(module);
  wasm_store_delete(store);
}

static void make_key(const char *directory, const char *alias) {
  char host[4096], guest[4096];
  snprintf(host, sizeof host, "%s/key.pem", directory);
  snprintf(guest, sizeof guest, "%s/key.pem", alias ? alias : directory);
  unlink(host);
  wasi_config_t *config =
      config_for((const char *[]){"genrsa", "-out", guest, "1024", NULL});
  int recorded = alias ? wasi_config_mapdir(config, alias, directory)
                       : wasi_config_preopen_dir(config, directory);
  if (!recorded) fail("the directory can't be preopened");
  run(config, RUNS);
  printf("key: %s\n", access(host, F_OK) ? "not there" : "made");
}

static void *make_key_on_a_thread(void *directory) {
  make_key(directory, "/keys");
  return NULL;
}

static void print_version(enum run how, const char *directory) {
  wasi_config_t *config = config_for((const char *[]){"version", NULL});
  if (directory) wasi_config_mapdir(config, "/keys", directory);
  run(config, how);
}

int main(int count, char **arguments) {
  if (count != 6) fail("usage: embedder CASE MODULE DIRECTORY OTHER FORBIDDEN");
  const char *name = arguments[1], *directory = arguments[3], *other = arguments[4];
  setvbuf(stdout, NULL, _IOLBF, 0);
  engine = wasm_engine_new();
  read_module(arguments[2]);
  if (!strcmp(name, "mapdir")) {
    make_key(directory, "/keys");
  } else if (!strcmp(name, "preopen_dir")) {
    make_key(directory, NULL);
  } else if (!strcmp(name, "capture")) {
    print_version(IS_CAPTURED, NULL);
  } else if (!strcmp(name, "one after the other")) {
    for (int i = 0; i < 3; i++) make_key(directory, "/keys");
  } else if (!strcmp(name, "other directory")) {
    make_key(directory, "/keys");
    make_key(other, "/keys");
  } else if (!strcmp(name, "thrown away")) {
    print_version(IS_THROWN_AWAY, directory);
    make_key(directory, "/keys");
  } else if (!strcmp(name, "thread")) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, make_key_on_a_thread, (void *)directory)) fail("no thread");
    pthread_join(thread, NULL);
  } else {
    fail("no such case");
  }
  int file = open(arguments[5], O_RDONLY);
  if (file >= 0)
    printf("native open: succeeds\n");
  else
    printf("native open: error %d\n", errno);
  return 0;
}
