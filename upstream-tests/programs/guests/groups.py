"""What programs do with files, by the standard library: `python groups.py GROUP` in an empty /work.

Each group prints what it has seen that is the same on every system, and fails where that isn't what the documentation
says. `imports` prints the modules that can't be imported. What imports `socket` is imported where it is needed, since
some runtimes don't get past that.
"""
import contextlib
import errno
import filecmp
import fileinput
import glob
import gzip
import io
import os
import pathlib
import pickle
import shutil
import stat
import sys
import tarfile
import tempfile
import time
import zipfile
import zlib

WORK = "/work"
LONG_AGO = 1041808783


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def read(path):
    with open(path) as file:
        return file.read()


@contextlib.contextmanager
def fails(number):
    """A block that ends with this error number."""
    try:
        yield
    except OSError as error:
        assert error.errno == number, error
        return
    raise AssertionError(f"no {errno.errorcode[number]}")


def imports():
    # These do something visible when they are imported, or are no modules.
    skipped = {"antigravity", "this", "__main__"}
    failed = []
    for name in sorted(sys.stdlib_module_names - skipped):
        print("import", name, file=sys.stderr, flush=True)
        try:
            __import__(name)
        except BaseException as error:
            failed.append(f"{name}: {type(error).__name__}: {error}")
    print(len(sys.stdlib_module_names - skipped) - len(failed), "modules can be imported, the rest not:")
    print("\n".join(failed))


def tempfiles():
    with tempfile.TemporaryFile() as file:
        file.write(b"x" * 5000)
        file.seek(0)
        assert len(file.read()) == os.fstat(file.fileno()).st_size == 5000
    with tempfile.NamedTemporaryFile("w+", delete=False) as file:
        file.write("hello")
    assert read(file.name) == "hello"
    os.unlink(file.name)
    with tempfile.TemporaryDirectory() as directory:
        write(directory + "/a", "1")
        os.makedirs(directory + "/b/c")
        write(directory + "/b/c/d", "2")
    assert not os.path.exists(directory)
    descriptor, path = tempfile.mkstemp(suffix=".x")
    os.write(descriptor, b"q")
    os.close(descriptor)
    assert os.path.getsize(path) == 1
    os.remove(path)
    with tempfile.SpooledTemporaryFile(max_size=10) as file:
        file.write(b"y" * 100)
        file.seek(0)
        assert file.read() == b"y" * 100
    print(os.listdir(tempfile.gettempdir()))


def some_tree(root):
    os.makedirs(root + "/a/b")
    for number in range(20):
        write(f"{root}/a/f{number}", str(number) * number)
    os.symlink("f1", root + "/a/link")
    os.symlink("nowhere", root + "/a/dangling")


def shutil_():
    some_tree("from")
    shutil.copytree("from", "to", symlinks=True)
    assert os.readlink("to/a/link") == "f1" and os.path.islink("to/a/dangling")
    assert sorted(os.listdir("to/a")) == sorted(os.listdir("from/a"))
    shutil.copy2("from/a/f3", "copied")
    assert read("copied") == "333"
    assert abs(os.stat("copied").st_mtime - os.stat("from/a/f3").st_mtime) < 0.001
    shutil.move("to", "moved")
    assert not os.path.exists("to") and read("moved/a/f2") == "22"
    shutil.move("copied", "moved/a/")
    assert os.path.exists("moved/a/copied")
    shutil.rmtree("moved")
    assert not os.path.exists("moved")
    shutil.copyfile("from/a/f5", "f5")
    assert filecmp.cmp("from/a/f5", "f5", shallow=False)
    shutil.make_archive("archive", "zip", "from")
    print(sorted(os.listdir(".")), zipfile.is_zipfile("archive.zip"))


def pathlib_():
    path = pathlib.Path("p/x/y")
    path.mkdir(parents=True)
    path.mkdir(parents=True, exist_ok=True)
    (path / "f.txt").write_text("héllo")
    (path / "f.txt").rename(path / "g.txt")
    (path / "n").touch()
    (path / "n").touch()
    (path / "l").symlink_to("g.txt")
    assert (path / "l").is_symlink() and (path / "l").resolve() == (path / "g.txt").resolve()
    (path / "h").hardlink_to(path / "g.txt")
    assert (path / "h").samefile(path / "g.txt")
    (path / "n").replace(path / "g.txt")
    assert (path / "g.txt").stat().st_size == 0 and (path / "h").read_text() == "héllo"
    (path / "l").unlink()
    (path / "none").unlink(missing_ok=True)
    print([str(found) for found in sorted(pathlib.Path("p").rglob("*"))])


def tarfile_():
    os.makedirs("tree/sub")
    write("tree/sub/f", "tar")
    os.symlink("sub/f", "tree/l")
    os.link("tree/sub/f", "tree/h")
    os.utime("tree/sub/f", (LONG_AGO, LONG_AGO + 1.25))
    os.utime("tree/sub", (LONG_AGO, LONG_AGO))
    with tarfile.open("tree.tgz", "w:gz") as tar:
        tar.add("tree")
    with tarfile.open("tree.tgz") as tar:
        print(sorted((m.name, m.type, m.linkname, m.size) for m in tar.getmembers()))
        tar.extractall("from-tar")
    assert read("from-tar/tree/l") == "tar" and os.path.islink("from-tar/tree/l")
    assert os.path.samefile("from-tar/tree/h", "from-tar/tree/sub/f")
    print(os.path.getmtime("from-tar/tree/sub"), int(os.path.getmtime("from-tar/tree/sub/f")))


def zipfile_():
    write("f9", "9" * 9)
    with zipfile.ZipFile("z.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/b.txt", "x" * 10000)
        archive.write("f9")
    with zipfile.ZipFile("z.zip", "a") as archive:
        archive.writestr("later", "l")
    with zipfile.ZipFile("z.zip") as archive:
        assert archive.testzip() is None
        archive.extractall("from-zip")
        print(sorted(archive.namelist()))
    assert read("from-zip/a/b.txt") == "x" * 10000
    with gzip.open("data.gz", "wb") as file:
        file.write(b"data" * 1000)
    with gzip.open("data.gz") as file:
        assert file.read() == b"data" * 1000


def sqlite3_():
    import sqlite3

    first = sqlite3.connect("a.db")
    first.execute("CREATE TABLE t(i INTEGER PRIMARY KEY, v TEXT)")
    first.executemany("INSERT INTO t(v) VALUES (?)", [(str(i) * 50,) for i in range(3000)])
    first.commit()
    first.execute("UPDATE t SET v = ? WHERE i % 2 = 0", ("z",))
    first.rollback()
    assert first.execute("SELECT count(*) FROM t WHERE v = 'z'").fetchone()[0] == 0
    for mode in ("truncate", "persist", "memory", "off", "delete", "wal"):
        answer = first.execute(f"PRAGMA journal_mode = {mode}").fetchone()[0]
        first.execute("INSERT INTO t(v) VALUES (?)", (mode,))
        first.commit()
        print(mode, answer)
    first.execute("VACUUM")
    second = sqlite3.connect("b.db")
    first.backup(second)
    print(second.execute("SELECT count(*) FROM t").fetchone(), second.execute("PRAGMA integrity_check").fetchone())


def logger(handler):
    import logging

    made = logging.getLogger(type(handler).__name__)
    made.addHandler(handler)
    made.setLevel(logging.DEBUG)
    return made


def rotating_logs():
    import logging.handlers

    handler = logging.handlers.RotatingFileHandler("app.log", maxBytes=500, backupCount=3)
    log = logger(handler)
    for number in range(100):
        log.info("message number %d", number)
    handler.close()
    for name in sorted(os.listdir(".")):
        print(name, repr(read(name)))


def timed_logs():
    import logging.handlers

    handler = logging.handlers.TimedRotatingFileHandler("timed.log", when="S", backupCount=2)
    log = logger(handler)
    for text in "abc":
        log.warning(text)
        time.sleep(1.2)
    handler.close()
    print([read(name) for name in sorted(os.listdir("."))])


def watched_logs():
    import logging.handlers

    handler = logging.handlers.WatchedFileHandler("watched.log")
    log = logger(handler)
    log.warning("a")
    os.rename("watched.log", "old.log")
    log.warning("b")
    os.remove("watched.log")
    log.warning("c")
    handler.close()
    print(repr(read("watched.log")), repr(read("old.log")))


def http_server():
    """Serves files to a request that comes from memory: the build may have no sockets."""
    import http.server

    class Connection:
        def __init__(self, request):
            self.request, self.answer = io.BytesIO(request), io.BytesIO()

        def makefile(self, mode, *_):
            return self.request

        def sendall(self, data):
            self.answer.write(data)

    class Server:
        server_name, server_port = "here", 80

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def date_time_string(self, timestamp=None):
            return "a date"

    os.makedirs("site/sub")
    write("site/page.html", "<p>page</p>" * 1000)
    write("site/sub/f.txt", "text")
    os.chdir("site")
    for path in ("/page.html", "/", "/sub/f.txt", "/sub", "/none", "/../../etc/passwd"):
        connection = Connection(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        Handler(connection, ("client", 1), Server())
        answer = connection.answer.getvalue()
        head, _, body = answer.partition(b"\r\n\r\n")
        print(path, head.splitlines()[0].decode(), len(body), zlib.crc32(body))


def http_server_sockets():
    """Serves a file over a socket, or says why that can't be."""
    import http.server
    import threading
    import urllib.request

    write("f.txt", "served")
    try:
        server = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
        threading.Thread(target=server.handle_request).start()
        with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/f.txt") as answer:
            print(answer.read())
    except (AttributeError, OSError, RuntimeError, TypeError) as error:
        print(type(error).__name__, error)


def walk():
    os.makedirs("sw/d1/d2")
    for name in "abc":
        write(f"sw/d1/{name}", name)
    os.symlink("d1", "sw/ld")
    os.symlink("d1/a", "sw/lf")
    with os.scandir("sw") as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            assert entry.inode() == os.lstat(entry.path).st_ino
            print(entry.name, entry.is_dir(), entry.is_file(), entry.is_symlink(), entry.is_dir(follow_symlinks=False))
    for follow in (False, True):
        print([(d, sorted(ds), sorted(fs)) for d, ds, fs in sorted(os.walk("sw", followlinks=follow))])
    with os.scandir("sw/d1") as entries:
        for entry in entries:
            if entry.is_file():
                os.remove(entry)
    print(os.listdir("sw/d1"))


def replace():
    for number in range(30):
        write("cfg.tmp", str(number))
        os.replace("cfg.tmp", "cfg")
        assert read("cfg") == str(number)
    with open("cfg") as file:
        write("cfg.tmp", "new")
        os.replace("cfg.tmp", "cfg")
        assert file.read() == "29"
    print(os.stat("cfg").st_size, os.listdir("."))


def errors():
    os.makedirs("full/x")
    os.mkdir("empty")
    write("f", "")
    for number, operation in (
        (errno.EISDIR, lambda: os.replace("f", "empty")),
        (errno.ENOTDIR, lambda: os.replace("empty", "f")),
        (errno.ENOENT, lambda: os.replace("none", "x")),
        (errno.EEXIST, lambda: os.mkdir("empty")),
        (errno.EEXIST, lambda: os.mkdir("f")),
        (errno.ENOTEMPTY, lambda: os.rmdir("full")),
        (errno.EISDIR, lambda: open("full", "w")),
        (errno.ENOTDIR, lambda: open("f/x")),
        (errno.ENAMETOOLONG, lambda: open("x" * 300, "w")),
        (errno.EEXIST, lambda: open("f", "x")),
        (errno.ENOENT, lambda: open("none")),
        (errno.EBADF, lambda: os.read(99, 1)),
    ):
        with fails(number):
            operation()
    os.symlink("two", "one")
    os.symlink("one", "two")
    with fails(errno.ELOOP):
        open("one")
    print(sorted(os.listdir(".")))


def times():
    write("u", "")
    os.utime("u", (1, 2.5))
    assert (os.stat("u").st_atime, os.stat("u").st_mtime) == (1, 2.5)
    os.utime("u", ns=(10**18 + 1, 10**18 + 2))
    assert os.stat("u").st_mtime_ns == 10**18 + 2
    os.utime("u")
    assert abs(os.stat("u").st_mtime - time.time()) < 60
    os.mkdir("directory")
    os.utime("directory", (LONG_AGO, LONG_AGO))
    assert os.path.getmtime("directory") == LONG_AGO
    with open("u", "r+") as file:
        os.utime(file.fileno(), (7, 8))
        assert os.fstat(file.fileno()).st_mtime == 8
    os.symlink("u", "link")
    os.utime("link", (3, 4), follow_symlinks=False)
    print(os.lstat("link").st_mtime, os.stat("u").st_mtime)


def glob_loop():
    os.makedirs("g/dir")
    write("g/dir/file", "")
    os.symlink(".", "g/dir/link")
    some_tree("from")
    print(len(glob.glob("**", root_dir="g", recursive=True)))
    print(sorted(glob.glob("from/a/f1*")), glob.glob("none*"), glob.glob("*/a/link"))


def links():
    write("t", "foo")
    os.symlink("t", "s")
    assert os.path.samefile("t", "s")
    os.link("t", "h")
    assert os.stat("t").st_nlink == 2 and os.path.samefile("t", "h")
    os.remove("t")
    assert os.path.lexists("s") and not os.path.exists("s") and read("h") == "foo"
    print(sorted(os.listdir(".")), os.readlink("s"), os.stat("h").st_nlink)
    os.makedirs("a/b")
    os.symlink("b", "a/c")
    print(os.path.realpath("a/c"))


def change_directory():
    some_tree("from")
    here = os.getcwd()
    os.chdir("from/a")
    assert read("f2") == "22" and "f2" in os.listdir()
    write("../up", "u")
    os.chdir("..")
    assert read("up") == "u" and os.path.exists("../from/up")
    os.chdir(here)
    print(os.path.abspath("from"), os.stat(here + "/from/up").st_size)


def large_file():
    with open("big", "w+b") as file:
        file.seek(2_500_000_000)
        file.write(b"a")
        file.flush()
        assert os.fstat(file.fileno()).st_size == 2_500_000_001 == file.seek(0, io.SEEK_END)
        file.truncate(10)
    print(os.path.getsize("big"))


def descriptors():
    with open("m", "wb") as file:
        file.write(b"0123456789")
    with open("a", "a+") as file:
        file.write("1")
        file.seek(0)
        assert file.read() == "1"
        file.seek(0)
        file.write("2")
    assert read("a") == "12"
    descriptor = os.open("m", os.O_RDWR)
    assert os.pread(descriptor, 3, 4) == b"456"
    os.pwrite(descriptor, b"XX", 1)
    assert os.read(descriptor, 4) == b"0XX3"
    os.ftruncate(descriptor, 5)
    os.fsync(descriptor)
    assert os.fstat(descriptor).st_size == 5
    os.close(descriptor)
    os.truncate("m", 2)
    for _ in fileinput.input("m", inplace=True):
        print("edited", end="")
    assert os.access("m", os.R_OK | os.W_OK) and not os.access("none", os.F_OK)
    with open("pickled", "wb") as file:
        pickle.dump([1], file)
    print(read("m"), stat.filemode(os.stat("m").st_mode)[0], len(os.urandom(100)))


def sync_directories():
    write("f", "x")
    with open("f", "r+") as file:
        os.fsync(file.fileno())
        os.fdatasync(file.fileno())
    descriptor = os.open(".", os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def main():
    os.mkdir(f"{WORK}/tmp")
    os.mkdir(f"{WORK}/here")
    os.chdir(f"{WORK}/here")
    tempfile.tempdir = f"{WORK}/tmp"
    globals()[sys.argv[1]]()


main()
