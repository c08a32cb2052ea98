//! For those who maintain the patches: open the patched source for editing, write the series back, check it,
//! try it on another version, export it for upstream, list it.
//!
//! The patch files are the truth; git is only the editor. `open` makes a repository with one commit per
//! patch, whose message is the patch's header; `save` writes each commit back as a patch.
#![forbid(unsafe_code)]

mod another_version;
mod export;
mod git;
mod package;
mod table;
mod versions;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};

use wasix_landlock_fork::{
    Manifest, OwnModules, Patch, Series, Upstream, materialize, patch_files, source_digest,
};

use git::git;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const USAGE: &str = "\
usage: forks open FORK DIRECTORY    make DIRECTORY: a git repository, one commit per patch of FORK
       forks save FORK DIRECTORY    write the commits of DIRECTORY back as the series of FORK
       forks check FORK...          check that each patch is listed, applies, and has a header and little context
                                    of FORK, and of its other versions
       forks new VERSION FORK...    start the forks for VERSION of Wasmer
       forks renew FORK...          write the manifests of all other versions anew
       forks digest FORK            print the digest of the published source, for fork.toml
       forks try FORK VERSION       check how each patch of FORK fits another version of upstream
       forks export FORK DIRECTORY  make DIRECTORY: a mail per patch, for `git am` in upstream's repository
       forks table FORK...          print the tables of forks and patches
       forks table --check FILE FORK...    check the tables in FILE
       forks table --write FILE FORK...    write the tables into FILE
FORK is the folder of a fork, such as patches/virtual-fs";

/// The header fields that each patch must carry; see patches/README.md.
const FIELDS: [&str; 6] = [
    "Subject",
    "Description",
    "Origin",
    "Forwarded",
    "Last-Update",
    "Drop-When",
];

/// The diff, the same for everyone: nothing in a user's configuration changes it.
const DIFF: [&str; 12] = [
    "diff",
    "--unified=1",
    "--inter-hunk-context=0",
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
    "--no-renames",
    "--text",
    "--indent-heuristic",
    "--diff-algorithm=histogram",
    "--src-prefix=a/",
    "--dst-prefix=b/",
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["open", fork, directory] => open(Path::new(fork), Path::new(directory)),
        ["save", fork, directory] => save(Path::new(fork), Path::new(directory)),
        ["check", ref forks @ ..] if !forks.is_empty() => {
            forks.iter().try_for_each(|fork| check_all(Path::new(fork)))
        }
        ["new", version, ref forks @ ..] if !forks.is_empty() => {
            versions::start(version, &folders(forks))
        }
        ["renew", ref forks @ ..] if !forks.is_empty() => versions::renew(&folders(forks)),
        ["digest", fork] => digest(Path::new(fork)),
        ["try", fork, version] => another_version::try_on(Path::new(fork), version),
        ["export", fork, directory] => export::export(Path::new(fork), Path::new(directory)),
        [
            "table",
            option @ ("--check" | "--write"),
            file,
            ref forks @ ..,
        ] if !forks.is_empty() => {
            let write = option == "--write";
            table::in_file(Path::new(file), &folders(forks), write)
        }
        ["table", ref forks @ ..] if !forks.is_empty() && !forks[0].starts_with("--") => {
            table::print(&folders(forks))
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("forks: {error}");
            ExitCode::FAILURE
        }
    }
}

fn folders(arguments: &[&str]) -> Vec<PathBuf> {
    arguments.iter().map(PathBuf::from).collect()
}

fn open(fork: &Path, directory: &Path) -> Result<()> {
    if directory.exists() {
        return Err(format!(
            "{} exists already; name a new directory",
            directory.display()
        )
        .into());
    }
    let opened = open_new(fork, directory);
    if opened.is_err() && directory.exists() {
        std::fs::remove_dir_all(directory)?;
    }
    opened
}

fn open_new(fork: &Path, directory: &Path) -> Result<()> {
    let manifest = materialize(fork, directory, 0)?;
    let series = Series::load(fork)?;
    if manifest.base.is_some() && series.fits(directory).is_err() {
        std::fs::remove_dir_all(directory)?;
        return versions::open_on(fork, &manifest, directory);
    }
    git(directory, &["init", "--quiet", "--initial-branch=patches"])?;
    commit(directory, &manifest.full_name())?;
    git(directory, &["tag", "upstream"])?;
    for patch in series.patches {
        let message = patch.header.clone();
        let one = Series {
            patches: vec![patch],
        };
        one.apply(directory)?;
        commit(directory, &message)?;
    }
    println!(
        "edit and commit in {}, then `forks save`",
        directory.display()
    );
    Ok(())
}

fn save(fork: &Path, directory: &Path) -> Result<()> {
    if !git(directory, &["status", "--porcelain"])?.is_empty() {
        return Err(format!("{} has uncommitted changes", directory.display()).into());
    }
    let manifest = Manifest::load(fork)?;
    let base = git(
        directory,
        &["show", "--no-patch", "--format=%s", "upstream"],
    )?;
    if base.trim_end() != manifest.full_name() {
        return Err(format!(
            "{} was opened from {}, but {} forks {}",
            directory.display(),
            base.trim_end(),
            fork.display(),
            manifest.full_name()
        )
        .into());
    }
    let mut written = committed(directory)?;
    if written.is_empty() {
        return Err(format!("{} has no commit after `upstream`", directory.display()).into());
    }
    if manifest.base.is_some() {
        written = versions::differing(fork, &manifest, written)?;
    }
    // Only now that each commit is known to be a patch.
    for path in patch_files(fork)? {
        std::fs::remove_file(path)?;
    }
    let mut series = String::new();
    for (name, text) in written {
        std::fs::write(fork.join(&name), text)?;
        series.push_str(&name);
        series.push('\n');
    }
    if manifest.base.is_none() {
        std::fs::write(fork.join("series"), series)?;
    }
    check(fork)
}

/// The commits after `upstream` as patches: their names and texts.
fn committed(directory: &Path) -> Result<Vec<(String, String)>> {
    let commits = git(directory, &["rev-list", "--reverse", "upstream..HEAD"])?;
    let mut written = Vec::new();
    for (number, commit) in commits.lines().enumerate() {
        let header = git(directory, &["show", "--no-patch", "--format=%B", commit])?;
        let diff = git(
            directory,
            &[&DIFF[..], &[&format!("{commit}^"), commit]].concat(),
        )?;
        let text = format!("{}\n---\n{}", header.trim_end(), bare(&diff));
        let patch = Patch::parse(&format!("the patch of commit {commit}"), &text)?;
        check_header(&patch)?;
        let subject = patch.field("Subject").unwrap_or_default();
        let name = format!("{:04}-{}.patch", number + 1, slug(subject));
        written.push((name, text));
    }
    Ok(written)
}

/// Checks a fork, and those of other versions that have its series.
fn check_all(fork: &Path) -> Result<()> {
    check(fork)?;
    versions::of(fork)?.iter().try_for_each(|fork| check(fork))
}

fn check(fork: &Path) -> Result<()> {
    let series = Series::load(fork)?;
    let own = OwnModules::read(fork)?;
    for patch in &series.patches {
        check_header(patch)?;
        if let Some(problem) = own.misnamed(patch) {
            return Err(format!("{}: {problem}", patch.name).into());
        }
        if patch.widest_context() > 1 {
            return Err(format!("{}: more than one line of context", patch.name).into());
        }
    }
    let scratch = Scratch::new()?;
    let source = scratch.0.join("source");
    let manifest = materialize(fork, &source, usize::MAX)?;
    if manifest.base.is_some() {
        versions::check_package(fork, &manifest, &source)?;
    }
    println!(
        "{}: {} patches apply exactly",
        fork.display(),
        series.patches.len()
    );
    Ok(())
}

fn check_header(patch: &Patch) -> Result<()> {
    for field in FIELDS {
        if patch.field(field).is_none_or(str::is_empty) {
            return Err(format!("{}: the header lacks `{field}:`", patch.name).into());
        }
    }
    Ok(())
}

fn digest(fork: &Path) -> Result<()> {
    let manifest = Manifest::load(fork)?;
    let scratch = Scratch::new()?;
    let source = scratch.0.join("source");
    match Upstream::find(&manifest, &[], &scratch.0.join("download"))? {
        Upstream::Folder(_) => return Err("the digest is taken from a .crate file".into()),
        archive => archive.unpack(&manifest, &source)?,
    }
    println!("{}", source_digest(&source)?);
    Ok(())
}

/// A diff without what changes nothing: blob names, modes, and the piece of upstream's code that git
/// repeats behind a hunk's line numbers.
fn bare(diff: &str) -> String {
    let mut text = String::new();
    // Not `lines()`: a carriage return belongs to the line.
    for line in diff.split_terminator('\n') {
        if line.starts_with("diff --git ") || line.starts_with("index ") {
            continue;
        }
        let end = line
            .strip_prefix("@@ ")
            .and_then(|rest| rest.find(" @@"))
            .map_or(line.len(), |at| "@@ ".len() + at + " @@".len());
        text.push_str(&line[..end]);
        text.push('\n');
    }
    text
}

fn slug(subject: &str) -> String {
    let words: Vec<String> = subject
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    words.join("-")
}

fn commit(directory: &Path, message: &str) -> Result<()> {
    git(directory, &["add", "--all", "--force"])?;
    git(
        directory,
        &[
            "-c",
            "user.name=forks",
            "-c",
            "user.email=forks@localhost",
            "commit",
            "--quiet",
            "--no-verify",
            "--cleanup=verbatim",
            "--message",
            message,
        ],
    )?;
    Ok(())
}

/// A directory that is removed again.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self> {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("forks-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("forks: {} is left behind: {error}", self.0.display());
        }
    }
}
