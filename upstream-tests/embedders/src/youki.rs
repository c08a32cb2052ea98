//! youki, a runtime of containers whose handler of WebAssembly embeds Wasmer, as published and with the forks.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};
use wasix_landlock_programs::packages::Crate;
use wasix_landlock_testing::end_within;

use crate::DEADLINE;
use crate::package::Package;

const SOURCE: Crate = Crate {
    name: "youki",
    version: "0.7.0",
    sha256: "0db9124bcfe24842d30a69c6aad82f5b90d7c6a3ee92275179e3a6e86f6929a4",
};

/// The version lines of Wasmer's crates that youki has, and the forks' versions in their place; and the crate that the changed
/// handler needs.
const MANIFEST: [(&str, &str); 3] = [
    ("\"7.0.1\"", "\"=7.4.2\""),
    ("\"0.700.1\"", "\"=0.704.2\""),
    (
        "[dependencies.wasmer]\n",
        "[dependencies.tokio]\nversion = \"1\"\nfeatures = [\"rt\"]\n\n[dependencies.wasmer]\n",
    ),
];

/// The lines of youki's handler that Wasmer 7.4.2 asks for: without them it panics, with the forks or without.
const HANDLER: [(&str, &str); 2] = [
    (
        "let mut store = Store::default();",
        "let tokio = tokio::runtime::Builder::new_current_thread().build().expect(\"a runtime\");
        let _tokio = tokio.enter();
        let mut store = Store::default();",
    ),
    (
        ".args(args.iter().skip(1))",
        ".engine(store.engine().clone())
            .args(args.iter().skip(1))",
    ),
];

/// The file in the container that no module gets.
const FORBIDDEN: &str = "forbidden";

/// One build.
#[derive(Debug)]
pub struct Youki(PathBuf);

impl Youki {
    /// Builds youki with its version lines of Wasmer raised, its handler brought up to date, and two lines of configuration or
    /// none.
    ///
    /// # Errors
    /// A source that can't be had, and a failed build.
    pub fn build(name: &str, forks: Option<&Path>, target: &Path) -> anyhow::Result<Self> {
        let folder = target.join(format!("youki-{name}"));
        let package = Package::unpack(&SOURCE, &folder)?;
        package.replace("Cargo.toml", &MANIFEST)?;
        package.replace("src/workload/wasmer.rs", &HANDLER)?;
        let built = target.join("target");
        package.build(
            &["--bin=youki", "--features=v1,v2,wasm-wasmer"],
            forks,
            &built,
        )?;
        let program = folder.join("youki");
        fs::copy(built.join("debug/youki"), &program)?;
        Ok(Self(program))
    }

    /// Runs OpenSSL in a container that has the module and [`FORBIDDEN`], with `library` preloaded, and returns the
    /// lines that the module prints, and the kernel's answers to the opens of that library.
    ///
    /// # Errors
    /// A container that fails or doesn't end.
    pub fn run(&self, openssl: &Path, library: &Path, work: &Path) -> anyhow::Result<Vec<String>> {
        let bundle = work.join("bundle");
        let root = bundle.join("rootfs");
        fs::create_dir_all(&root)?;
        fs::copy(openssl, root.join("openssl.wasm"))?;
        fs::write(root.join(FORBIDDEN), "nobody granted this")?;
        let specified = Command::new(&self.0)
            .arg("spec")
            .current_dir(&bundle)
            .output()?;
        ensure!(specified.status.success(), "youki spec: {specified:?}");
        let config = bundle.join("config.json");
        let mut spec: Value = serde_json::from_slice(&fs::read(&config)?)?;
        spec["process"]["args"] = json!(["/openssl.wasm", "version"]);
        spec["process"]["terminal"] = json!(false);
        spec["annotations"] = json!({ "run.oci.handler": "wasm" });
        fs::write(&config, serde_json::to_vec(&spec)?)?;

        let [stdout, stderr, report] = ["stdout", "stderr", "report"].map(|name| work.join(name));
        fs::write(&report, "")?;
        let id = format!("embedders-{}", std::process::id());
        let mut child = Command::new(&self.0)
            .arg("--root")
            .arg(work.join("state"))
            .args(["run", "--bundle"])
            .arg(&bundle)
            .arg(&id)
            .env_remove("WASIX_LANDLOCK")
            .env("LD_PRELOAD", library)
            .env("PROBE_FORBIDDEN", Path::new("/").join(FORBIDDEN))
            .env("PROBE_REPORT", &report)
            .stdin(Stdio::null())
            .stdout(File::create(&stdout)?)
            .stderr(File::create(&stderr)?)
            .spawn()
            .with_context(|| format!("can't start {}", self.0.display()))?;
        let Some(status) = end_within(&mut child, DEADLINE)? else {
            bail!("youki doesn't end");
        };
        ensure!(
            status.success(),
            "youki: {status}: {}",
            fs::read_to_string(&stderr)?
        );
        let mut lines = vec![format!("module: {}", fs::read_to_string(&stdout)?.trim())];
        let asked = fs::read_to_string(&report)?;
        lines.extend(asked.lines().map(|line| match line {
            "opened" => "native open: succeeds".to_owned(),
            _ => line.replace("refused, ", "native open: "),
        }));
        lines.dedup();
        Ok(lines)
    }
}
