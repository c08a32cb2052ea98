"""What programs do with files: `python work.py DIRECTORY`, with no module that isn't in the standard library."""
import os
import shutil
import sqlite3
import sys
import tarfile
import zipfile

root = os.path.join(sys.argv[1], "python")
shutil.rmtree(root, ignore_errors=True)
tree = os.path.join(root, "tree")
for folder in range(20):
    os.makedirs(os.path.join(tree, str(folder)))
    for number in range(25):
        with open(os.path.join(tree, str(folder), f"{number}.txt"), "w") as file:
            file.write(f"{folder} {number}\n" * 200)

size = 0
for folder, _, names in os.walk(tree):
    for name in names:
        path = os.path.join(folder, name)
        size += os.stat(path).st_size
        with open(path) as file:
            file.read()

archive = os.path.join(root, "tree.tar")
with tarfile.open(archive, "w") as tar:
    tar.add(tree, "tree")
with tarfile.open(archive) as tar:
    tar.extractall(os.path.join(root, "from-tar"))

archive = os.path.join(root, "tree.zip")
with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
    for folder, _, names in os.walk(tree):
        for name in names:
            path = os.path.join(folder, name)
            zipped.write(path, os.path.relpath(path, tree))
with zipfile.ZipFile(archive) as zipped:
    zipped.extractall(os.path.join(root, "from-zip"))

database = sqlite3.connect(os.path.join(root, "work.db"))
database.execute("PRAGMA journal_mode = MEMORY")
database.execute("CREATE TABLE t(a INTEGER, b TEXT)")
database.executemany("INSERT INTO t VALUES (?, ?)", ((n * 7919 % 20011, str(n)) for n in range(20000)))
database.commit()
database.execute("CREATE INDEX by_a ON t(a)")
found = database.execute("SELECT count(*) FROM t WHERE a < 5000").fetchone()[0]
database.commit()
database.close()
print(size, found)
