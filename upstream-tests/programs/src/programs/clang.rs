//! Clang and LLD as guests, and what they make.

use std::fs::{self, File};
use std::path::PathBuf;

use anyhow::ensure;
use wasix_landlock_programs::packages::{Npm, folder, own};

use super::Program;
use crate::column::Place;
use crate::steps::Step;

const PACKAGE: &str = "@yowasp/clang@22.0.0-git20542-10";

const CLANG: Npm = Npm {
    package: PACKAGE,
    path: "package/gen/llvm.core.wasm",
    sha256: "24fbed474c7b5b4968fd73fc4827440b93fb351c1b6264516130300eff3e7bf5",
};

const RESOURCES: Npm = Npm {
    package: PACKAGE,
    path: "package/gen/llvm-resources.tar",
    sha256: "79eef0c336fe55cf03ff8f5b42b784c8168f929a3603138b2c6301f4601e4c86",
};

pub const PROGRAM: Program = Program {
    name: "Clang and LLD 22",
    package: "npm @yowasp/clang 22.0.0-git20542-10",
    small: false,
    not_on_wasmtime: None,
    get: || Ok(vec![CLANG.get()?, resources()?]),
    steps,
};

/// Headers and libraries, unpacked once.
fn resources() -> anyhow::Result<PathBuf> {
    let archive = RESOURCES.get()?;
    let target = folder()?.join(format!("llvm-resources-{}", &RESOURCES.sha256[..16]));
    if !target.exists() {
        let work = tempfile::tempdir_in(folder()?)?;
        let usr = work.path().join("usr");
        tar::Archive::new(File::open(archive)?).unpack(&usr)?;
        fs::rename(usr, &target)?;
    }
    Ok(target)
}

fn steps(place: &Place<'_>, paths: &[PathBuf]) -> anyhow::Result<Vec<Step>> {
    fs::copy(own("guests/primes.c"), place.work.join("primes.c"))?;
    let usr = [(paths[1].clone(), "/usr")];
    let llvm = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        place.run(&paths[0], &words, &usr)?.success()
    };
    let compiled = |name: &str, line: &str| {
        llvm(line)?;
        let object = place.written(name)?;
        ensure!(object.starts_with(b"\0asm"), "{name} is no object file");
        Ok(object)
    };
    let linked = || {
        llvm(
            "wasm-ld -m wasm32 -L/usr/lib/wasm32-wasip1 /usr/lib/wasm32-wasip1/crt1-command.o /work/primes.o -lc \
             /usr/lib/wasm32-unknown-wasip1/libclang_rt.builtins.a -o /work/primes.wasm",
        )?;
        place.written("primes.wasm")
    };
    let ran = || {
        let said = place
            .run(&place.work.join("primes.wasm"), &["primes"], &[])?
            .success()?;
        ensure!(
            said == b"1229 primes, the last one 9973 of 4 digits, and 1424.714\n",
            "another output"
        );
        Ok(said)
    };
    let flags = "--target=wasm32-wasip1 -O2 -c";
    Ok(vec![
        Step::new(
            "compile C",
            compiled(
                "primes.o",
                &format!("clang {flags} /work/primes.c -o /work/primes.o"),
            ),
        ),
        Step::new("link", linked()),
        Step::new("run what was linked", ran()),
    ])
}
