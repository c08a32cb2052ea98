#!/bin/sh
# Builds ../genrsa.wasm and ../genrsa.wasm.sha256 from this directory.
#
#   build.sh           build and replace both files
#   build.sh --check   build and compare with ../genrsa.wasm.sha256, replace nothing
#
# Needs Debian 12 on amd64 with cargo, a C compiler (for build scripts) and current package lists
# (`apt-get update`). The rest is unpacked into a temporary directory; nothing is installed. Cargo
# fetches the crates that the lock file names, and those of the standard library.
#
# CARGO_TARGET_DIR is honoured, the result doesn't depend on it.
set -eu

start=$PWD
here=$(cd "$(dirname "$0")" && pwd)
out=$here/../genrsa.wasm
target=wasm32-wasip1

case "$*" in
'') check=false ;;
--check) check=true ;;
*)
    sed -n '2,6s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac

# What decides the bytes of the result, therefore by version. A version that Debian has replaced must
# be replaced here too, and the checksum with it.
compiler='
    rustc-web=1.96.0+dfsg1-1~deb12u2
    libstd-rust-web-1.96=1.96.0+dfsg1-1~deb12u2
    libstd-rust-web-dev=1.96.0+dfsg1-1~deb12u2
    rust-web-src=1.96.0+dfsg1-1~deb12u2
    libllvm22=1:22.1.8-1~deb12u1
    lld-19=1:19.1.7-3~deb12u1
    libllvm19=1:19.1.7-3~deb12u1
    wasi-libc=0.0~git20220510.9886d3d-2
'
# What LLVM loads and a small Debian lacks.
libraries='libbsd0 libedit2 libicu72 libxml2 libz3-4'

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
# Cargo hashes a path relative to the workspace if it is inside: with the toolchain inside, the
# hashes don't depend on where the temporary directory is.
toolchain=$work/toolchain
mkdir "$work/debs" "$toolchain"
cp -R "$here/Cargo.toml" "$here/Cargo.lock" "$here/src" "$work/"

(
    cd "$work/debs"
    # The word splitting is meant.
    # shellcheck disable=SC2086
    apt-get -q -o APT::Sandbox::User=root download $compiler $libraries
    for deb in *.deb; do
        dpkg -x "$deb" "$toolchain"
    done
)
rm -r "$work/debs"

cd "$work"
case "${CARGO_TARGET_DIR:=$work/target}" in
/*) ;;
*) CARGO_TARGET_DIR=$start/$CARGO_TARGET_DIR ;;
esac
export CARGO_TARGET_DIR
export RUSTC="$toolchain/usr/bin/rustc"
export LD_LIBRARY_PATH="$toolchain/usr/lib/x86_64-linux-gnu"
# A stable cargo and rustc that accept -Zbuild-std: Debian has no standard library for this target.
export RUSTC_BOOTSTRAP=1
unset RUSTC_WRAPPER RUSTC_WORKSPACE_WRAPPER CARGO_BUILD_RUSTC_WRAPPER RUSTFLAGS

cargo fetch --locked --target $target -Zbuild-std=std,panic_abort

# Separated by the unit separator, so that a path may have a space.
flags=
flag() {
    flags="$flags${flags:+$(printf '\037')}$1"
}
flag "-Clinker=$toolchain/usr/bin/wasm-ld-19"
flag -Clink-self-contained=no
flag "-Clink-arg=$toolchain/usr/lib/wasm32-wasi/crt1-command.o"
flag "-Clink-arg=-L$toolchain/usr/lib/wasm32-wasi"
flag -Clink-arg=-lc
# No path of this machine in panic messages. Where several match, the last one counts.
flag "--remap-path-prefix=$work=/guest"
flag "--remap-path-prefix=$CARGO_TARGET_DIR=/guest/target"
flag "--remap-path-prefix=toolchain/usr/lib/rustlib/src/rust=/rust"
for registry in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*; do
    flag "--remap-path-prefix=$registry=/crates"
done
export CARGO_ENCODED_RUSTFLAGS="$flags"

cargo build --release --locked --target $target -Zbuild-std=std,panic_abort
built=$CARGO_TARGET_DIR/$target/release/genrsa.wasm

if $check; then
    expected=$(cut -d ' ' -f 1 "$out.sha256")
    actual=$(sha256sum "$built" | cut -d ' ' -f 1)
    if [ "$actual" != "$expected" ]; then
        echo "build.sh: built $actual, but genrsa.wasm.sha256 says $expected" >&2
        exit 1
    fi
    echo "genrsa.wasm: same as built before"
else
    cp "$built" "$out"
    chmod 644 "$out"
    cd "$here/.."
    sha256sum genrsa.wasm >genrsa.wasm.sha256
    cat genrsa.wasm.sha256
fi
