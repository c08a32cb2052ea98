//! A program that changes what the subject inherits, and then becomes it.

use std::{
    collections::BTreeMap,
    ffi::CString,
    io,
    os::unix::{ffi::OsStringExt, process::CommandExt},
    process::Command,
};

use anyhow::{Context, anyhow};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
use serde::{Deserialize, Serialize};
use wasix_landlock_foreign::{Settings, With};
use wasix_landlock_testing::descriptors;

/// The changes.
#[derive(Clone, Copy, Debug)]
pub struct Wrap {
    /// System calls that a filter refuses.
    pub refuse: &'static [i64],
    /// The error number that it answers.
    pub errno: i32,
    pub ring: Ring,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ring {
    None,
    /// One is passed on, with a personality.
    Inherited,
    /// One is passed on that a kernel thread polls, and this program stays.
    PolledByParent,
}

/// The same as an argument.
#[derive(Serialize, Deserialize)]
struct Asked {
    refuse: Vec<i64>,
    errno: i32,
    ring: Ring,
}

/// The word by which this program is asked to wrap.
pub const WORD: &str = "wrap";

impl Wrap {
    pub fn argument(&self) -> anyhow::Result<String> {
        let asked = Asked {
            refuse: self.refuse.to_vec(),
            errno: self.errno,
            ring: self.ring,
        };
        Ok(serde_json::to_string(&asked)?)
    }
}

/// Becomes a subject: arguments are what is asked, the program and its settings.
pub fn run(arguments: &[String]) -> anyhow::Result<()> {
    let [asked, program, settings] = arguments else {
        return Err(anyhow!("{WORD} CHANGES PROGRAM SETTINGS"));
    };
    let asked: Asked = serde_json::from_str(asked)?;
    let mut settings: Settings = serde_json::from_str(settings)?;
    if asked.ring == Ring::Inherited {
        let ring = descriptors::Ring::new(false).map_err(io::Error::from_raw_os_error)?;
        let personality = ring
            .register_personality()
            .map_err(io::Error::from_raw_os_error)?;
        let passed = ring.pass_on(false).map_err(io::Error::from_raw_os_error)?;
        settings.with = With::InheritedRing(passed, personality);
    }
    if asked.ring == Ring::PolledByParent {
        return stay_with_ring(program, settings);
    }
    if !asked.refuse.is_empty() {
        refuse(&asked)?;
    }
    let error = Command::new(program)
        .arg(serde_json::to_string(&settings)?)
        .exec();
    Err(error).with_context(|| program.clone())
}

/// Starts the subject, and keeps the ring's kernel thread by not ending.
fn stay_with_ring(program: &str, mut settings: Settings) -> anyhow::Result<()> {
    let ring = descriptors::Ring::new(true).map_err(io::Error::from_raw_os_error)?;
    let index = settings.special().to_string();
    let paths = [&settings.inside, &settings.secrets].map(|folder| folder.join(&index));
    let paths = paths.map(|path| CString::new(path.into_os_string().into_vec()));
    let [inside, secret] = paths;
    let (inside, secret) = (inside?, secret?);
    let addresses = [inside.as_ptr() as u64, secret.as_ptr() as u64];
    let passed = ring.pass_on(true).map_err(io::Error::from_raw_os_error)?;
    settings.with = With::ParentsRing(passed, addresses);
    let status = Command::new(program)
        .arg(serde_json::to_string(&settings)?)
        .status()?;
    drop((inside, secret));
    anyhow::ensure!(status.success(), "{status}");
    Ok(())
}

fn refuse(asked: &Asked) -> anyhow::Result<()> {
    let rules: BTreeMap<i64, Vec<_>> = asked.refuse.iter().map(|call| (*call, vec![])).collect();
    let filter = SeccompFilter::new(
        rules,
        SeccompAction::Allow,
        SeccompAction::Errno(asked.errno.unsigned_abs()),
        std::env::consts::ARCH.try_into()?,
    )?;
    let program: BpfProgram = filter.try_into()?;
    seccompiler::apply_filter(&program)?;
    Ok(())
}
