//! The programs that embed Wasmer, and what they must print.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};
use wasix_landlock_testing::end_within;

use crate::library::Library;
use crate::{Builds, DEADLINE};

/// A run of a program that embeds Wasmer.
#[derive(Debug)]
pub struct Case {
    /// The name; for [`Embedder::C`] that of the C program's case.
    pub name: &'static str,
    pub embedder: Embedder,
    /// True if `WASIX_LANDLOCK_RESERVE` names the other directory.
    pub reserves_other: bool,
    pub published: Lines,
    pub forked: Lines,
}

/// The program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Embedder {
    /// `embedder.c`, with libwasmer.
    C,
    /// `embedder.py`, with libwasmer.
    Python,
    /// youki, whose containers need root.
    Youki,
}

/// The lines that are printed; of each, its beginning.
#[derive(Debug)]
pub struct Lines(pub &'static [&'static str]);

impl Lines {
    /// True if these lines were printed, and no others.
    pub fn matches(&self, printed: &[String]) -> bool {
        printed.len() == self.0.len()
            && printed
                .iter()
                .zip(self.0)
                .all(|(line, begins)| line.starts_with(begins))
    }
}

const OPENED: &str = "native open: succeeds";
const DENIED: &str = "native open: error 13";
const KEY: &str = "key: made";

const fn case(name: &'static str, published: Lines, forked: Lines) -> Case {
    Case {
        name,
        embedder: Embedder::C,
        reserves_other: false,
        published,
        forked,
    }
}

/// All of them.
pub const CASES: &[Case] = &[
    case("mapdir", Lines(&[KEY, OPENED]), Lines(&[KEY, DENIED])),
    case("preopen_dir", Lines(&[KEY, OPENED]), Lines(&[KEY, DENIED])),
    case(
        "capture",
        Lines(&["captured: nothing", OPENED]),
        Lines(&["captured: nothing", DENIED]),
    ),
    case(
        "one after the other",
        Lines(&[KEY, KEY, KEY, OPENED]),
        Lines(&[KEY, KEY, KEY, DENIED]),
    ),
    case(
        "other directory",
        Lines(&[KEY, KEY, OPENED]),
        Lines(&[KEY, "environment: ", "key: not there", DENIED]),
    ),
    Case {
        reserves_other: true,
        ..case(
            "other directory",
            Lines(&[KEY, KEY, OPENED]),
            Lines(&[KEY, KEY, DENIED]),
        )
    },
    case("thrown away", Lines(&[KEY, OPENED]), Lines(&[KEY, DENIED])),
    case("thread", Lines(&[KEY, OPENED]), Lines(&[KEY, DENIED])),
    Case {
        embedder: Embedder::Python,
        ..case(
            "a thread of CPython's, by ctypes",
            Lines(&[KEY, OPENED, OPENED]),
            Lines(&[KEY, DENIED, DENIED]),
        )
    },
    Case {
        embedder: Embedder::Youki,
        ..case(
            "a container",
            Lines(&["module: OpenSSL 1.1.1d", OPENED]),
            Lines(&["module: OpenSSL 1.1.1d", DENIED]),
        )
    },
];

impl Case {
    /// Runs the program in directories that are made for it, and returns the lines that it prints.
    ///
    /// # Errors
    /// A program that can't be started, fails or doesn't end.
    pub fn run(&self, builds: &Builds, openssl: &Path) -> anyhow::Result<Vec<String>> {
        if self.embedder != Embedder::Youki {
            return self.embed(&builds.library, openssl, None);
        }
        let work = tempfile::tempdir()?;
        let work = work.path().canonicalize()?;
        builds.youki.run(openssl, &builds.preloaded, &work)
    }

    /// Runs a program that embeds libwasmer in directories that are made for it, in the fork's default mode or another, and
    /// returns the lines that it prints.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn embed(
        &self,
        library: &Library,
        openssl: &Path,
        mode: Option<&str>,
    ) -> anyhow::Result<Vec<String>> {
        let work = tempfile::tempdir()?;
        let work = work.path().canonicalize()?;
        let [directory, other] = ["directory", "other"].map(|name| work.join(name));
        for directory in [&directory, &other] {
            fs::create_dir(directory)?;
            fs::set_permissions(directory, fs::Permissions::from_mode(0o700))?;
        }
        let forbidden = work.join("forbidden");
        fs::write(&forbidden, "nobody granted this")?;
        let mut command = match self.embedder {
            Embedder::Python => {
                let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("embedder.py");
                let mut command = Command::new("python3");
                command.args([&program, &library.library, openssl, &directory]);
                command
            }
            _ => {
                let mut command = Command::new(&library.embedder);
                command.arg(self.name).arg(openssl);
                command.args([&directory, &other]);
                command
            }
        };
        if self.reserves_other {
            command.env("WASIX_LANDLOCK_RESERVE", &other);
        }
        let [stdout, stderr] = ["stdout", "stderr"].map(|name| work.join(name));
        let mut child = command
            .arg(&forbidden)
            .env_remove("WASIX_LANDLOCK")
            .envs(mode.map(|mode| ("WASIX_LANDLOCK", mode)))
            .stdin(Stdio::null())
            .stdout(fs::File::create(&stdout)?)
            .stderr(fs::File::create(&stderr)?)
            .spawn()
            .with_context(|| format!("can't start {command:?}"))?;
        let Some(status) = end_within(&mut child, DEADLINE)? else {
            bail!("{command:?} doesn't end");
        };
        let printed = fs::read_to_string(&stdout)?;
        ensure!(
            status.success(),
            "{command:?}: {status}: {printed}{}",
            fs::read_to_string(&stderr)?
        );
        let is_ours = |line: &&str| {
            ["key: ", "native open: ", "environment: ", "captured: "]
                .iter()
                .any(|begins| line.starts_with(begins))
        };
        Ok(printed.lines().filter(is_ours).map(str::to_owned).collect())
    }
}
