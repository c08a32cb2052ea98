//! Wasm OCI artifacts: images whose layer is the module itself.

use std::{fs, path::Path};

use crate::{
    daemon, guests, image,
    suite::{Case, Suite, annotation, directory, mount, outcome, text},
};

/// Every case.
pub(crate) const ALL: &[Case] = &[
    case("an_artifact_runs_with_its_mounts_enforced", runs),
    case("an_artifact_s_process_has_no_more_open", descriptors),
    case("an_artifact_s_layer_comes_before_a_file", with_files),
    case("an_artifact_of_two_modules_is_an_error", several),
    case("an_artifact_of_no_module_is_an_error", no_module),
    Case::new("files_run_without_containerd_s_answer", unanswered),
];

const fn case(name: &'static str, run: fn(&Suite)) -> Case {
    let needs = |_: &Suite| daemon::unpacks_artifacts();
    Case { name, needs, run }
}

/// The media types of Wasm layers: by the specification, before it, and by `oci-tar-builder`.
const MODULES: [&str; 3] = [
    "application/wasm",
    "application/vnd.wasm.content.layer.v1+wasm",
    "application/vnd.bytecodealliance.wasm.component.layer.v0+wasm",
];

/// Imports an artifact with these layers, and returns its name.
fn import(suite: &Suite, layers: &[(&str, &[u8])]) -> String {
    let name = format!("localhost/{}:1", daemon::name());
    let archive = suite.place().join(format!("{}.tar", daemon::name()));
    let written = image::write_layers(&archive, &name, ("wasm", "wasip1"), layers);
    written.expect("the artifact is written");
    suite.daemon.import(&archive);
    name
}

fn probe() -> Vec<u8> {
    let files = guests::files(None).expect("the files are made");
    let probe = files.into_iter().find(|(name, _)| *name == "probe.wasm");
    probe.expect("it is one of them").1
}

/// The first argument is only a name: there is no such file.
fn runs(suite: &Suite) {
    for kind in MODULES {
        let artifact = import(suite, &[(kind, &probe())]);
        let (rw, ro) = (directory(&[("a", "1")]), directory(&[("a", "1")]));
        let options = [mount(rw.path(), "/rw", "rw"), mount(ro.path(), "/ro", "ro")];
        let arguments = "convert.wasm probe read /ro/a -- write /ro/a -- create /rw/new -- read /proc/self/environ";
        let arguments: Vec<_> = arguments.split(' ').collect();
        let ran = suite.run_of(&artifact, &options, &arguments);
        let output = text(&ran.stdout);
        for allowed in ["read /ro/a", "create /rw/new"] {
            assert_eq!(outcome(&output, allowed), "ok", "{kind}: {ran:?}");
        }
        for refused in ["write /ro/a", "read /proc/self/environ"] {
            let outcome = outcome(&output, refused);
            assert!(outcome.starts_with("refused"), "{kind}: {refused}: {ran:?}");
        }
        assert!(rw.path().join("new").exists(), "{kind}");
        assert_eq!(read(&ro.path().join("a")), "1", "{kind}");
    }
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).expect("the file is there")
}

/// The process has what one has whose module is a file, and so no connection to containerd.
fn descriptors(suite: &Suite) {
    let waits = guests::module(include_str!("guests/waits.wat"));
    let artifact = import(suite, &[(MODULES[0], &waits)]);
    let of_artifact = suite.start_waiting_of(&artifact, &[], "waits.wasm");
    let of_files = suite.start_waiting(&[]);
    let open = kinds(&of_files.process());
    assert!(open.len() >= 3, "{open:?}");
    assert_eq!(kinds(&of_artifact.process()), open);
    for waiting in [of_artifact, of_files] {
        assert_eq!(waiting.end_by("KILL"), Some(137));
    }
}

/// The kinds of descriptors that a process has open.
fn kinds(process: &Path) -> Vec<String> {
    let open = fs::read_dir(process.join("fd")).expect("the process runs");
    let targets = open.map(|entry| fs::read_link(entry?.path()));
    let targets = targets.map(|target| target.expect("it is a link"));
    let named = targets.map(|target| target.to_string_lossy().into_owned());
    // Numbers, and the names of `ctr`'s pipes, differ.
    let mut kinds: Vec<_> = named
        .map(|target| match target.split_once(['[', ':']) {
            Some((kind, _)) => kind.to_owned(),
            None if target.starts_with("/run/containerd/fifo") => "fifo".to_owned(),
            None => target,
        })
        .collect();
    kinds.sort_unstable();
    kinds
}

/// A mount that has the name of the module doesn't replace it.
fn with_files(suite: &Suite) {
    let seven = guests::module(include_str!("guests/seven.wat"));
    let artifact = import(suite, &[(MODULES[0], &seven)]);
    let files = directory(&[("app.wasm", "no module")]);
    let options = [
        mount(files.path(), "/data", "ro"),
        annotation("compiler", "singlepass"),
    ];
    let ran = suite.run_of(&artifact, &options, &["/data/app.wasm"]);
    assert_eq!(ran.status.code(), Some(7), "{ran:?}");
}

fn several(suite: &Suite) {
    let seven = guests::module(include_str!("guests/seven.wat"));
    let artifact = import(suite, &[(MODULES[0], &seven), (MODULES[1], &probe())]);
    let ran = suite.run_of(&artifact, &[], &["convert.wasm"]);
    assert_eq!(ran.status.code(), Some(1), "{ran:?}");
    assert!(text(&ran.stderr).contains("2 Wasm layers"), "{ran:?}");
}

fn no_module(suite: &Suite) {
    let artifact = import(suite, &[(MODULES[0], b"no module")]);
    let ran = suite.run_of(&artifact, &[], &["convert.wasm"]);
    assert!(!ran.status.success(), "{ran:?}");
    assert!(
        text(&ran.stderr).contains("no WebAssembly module"),
        "{ran:?}"
    );
}

/// With a containerd of its own, whose socket is elsewhere than its shims are told.
fn unanswered(suite: &Suite) {
    let programs = suite.daemon.programs().to_owned();
    let mut own = Suite::start(&programs, &[]).expect("a second containerd starts");
    own.daemon.move_socket();
    let ran = own.run(&[], &["/seven.wasm"]);
    assert_eq!(ran.status.code(), Some(7), "{ran:?}");
    let ran = own.run(&[], &["/missing"]);
    assert!(!ran.status.success(), "{ran:?}");
    assert!(text(&ran.stderr).contains("can't reach"), "{ran:?}");
}
