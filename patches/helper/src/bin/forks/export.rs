//! `forks export`: the patches as mails for upstream.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use wasix_landlock_fork::{Manifest, OwnModules, Patch, Series, Trial, materialize};

use crate::git::{git, git_unconfigured};
use crate::{Result, Scratch, check_header};

/// Writes each patch of `fork` that isn't for the fork only as a mail in the new folder `directory`.
pub(crate) fn export(fork: &Path, directory: &Path) -> Result<()> {
    if directory.exists() {
        return Err(format!(
            "{} exists already; name a new directory",
            directory.display()
        )
        .into());
    }
    let patches = Series::load(fork)?.patches;
    if patches.iter().all(Patch::is_fork_only) {
        return Err(format!("{} has no patch for upstream", fork.display()).into());
    }
    let scratch = Scratch::new()?;
    let (pinned, repository) = (scratch.0.join("pinned"), scratch.0.join("repository"));
    let manifest = materialize(fork, &pinned, 0)?;
    let source = repository.join(&manifest.upstream_path);
    // Only after this is the folder there that git works in.
    materialize(fork, &source, 0)?;

    let sender = Sender::of_this_user(&repository)?;
    git_unconfigured(&repository, &["init", "--quiet"])?;
    sender.commit(&repository, "published", None)?;
    git_unconfigured(&repository, &["tag", "upstream"])?;
    let mut trial = Trial::new(&pinned, &source);
    let mut fork_only: Vec<&Patch> = Vec::new();
    let mut along = Along::with(fork, &pinned)?;
    for patch in &patches {
        if patch.is_fork_only() {
            trial.leave_out(patch)?;
            fork_only.push(patch);
            continue;
        }
        check_header(patch)?;
        let outcome = trial.patch(patch)?;
        if !outcome.applies() {
            let needed = needed(&fork_only, outcome.misfits.iter().map(|m| m.file.as_path()));
            return Err(format!(
                "{outcome}\nit depends on a patch for this fork only ({}): move it before that \
                 patch in the series, or send both",
                needed.join(", ")
            )
            .into());
        }
        for (file, text) in trial.patched() {
            std::fs::write(source.join(file), text)?;
        }
        along.add_called_by(patch, &source)?;
        let date = patch.field("Last-Update");
        sender.commit(&repository, &message(&manifest, patch), date)?;
    }

    std::fs::create_dir_all(directory)?;
    let written = git_unconfigured(
        &repository,
        &[
            "format-patch",
            "--quiet",
            "--numbered",
            "--unified=3",
            "--subject-prefix=PATCH",
            "--no-signature",
            "--no-cover-letter",
            "--no-stat",
            "--zero-commit",
            "--no-renames",
            "--text",
            "--diff-algorithm=histogram",
            "--indent-heuristic",
            "--output-directory",
            &absolute(directory)?,
            "upstream",
        ],
    );
    if let Err(error) = written {
        std::fs::remove_dir_all(directory)?;
        return Err(error);
    }
    let exported: Vec<&Patch> = patches.iter().filter(|p| !p.is_fork_only()).collect();
    println!(
        "{}: {} patches of {} exported, from {} <{}>",
        directory.display(),
        exported.len(),
        manifest.full_name(),
        sender.name,
        sender.email
    );
    for line in &along.told {
        println!("{line}");
    }
    for patch in &fork_only {
        println!("{}: for this fork only, not exported", patch.name);
    }
    Ok(())
}

/// Returns the message that upstream reads: the place, the change, the reason. The other fields are of use here only.
fn message(manifest: &Manifest, patch: &Patch) -> String {
    let place = Path::new(&manifest.upstream_path);
    let place = place.file_name().unwrap_or(place.as_os_str());
    format!(
        "{}: {}\n\n{}\n",
        place.display(),
        patch.field("Subject").unwrap_or_default(),
        patch.whole_field("Description").unwrap_or_default()
    )
}

/// Returns the patches of `fork_only` that change one of `files`.
fn needed<'a>(fork_only: &[&Patch], files: impl Iterator<Item = &'a Path>) -> Vec<String> {
    let files: BTreeSet<&Path> = files.collect();
    let needed = fork_only
        .iter()
        .filter(|patch| patch.files().any(|file| files.contains(file)));
    needed.map(|patch| patch.name.clone()).collect()
}

/// The fork's own modules that go along, each with the first patch that needs it.
struct Along {
    own: OwnModules,
    /// Dependencies that the fork has and upstream doesn't, but for those on this project.
    dependencies: BTreeSet<String>,
    sent: BTreeSet<String>,
    /// The lines that were added to upstream's `lib.rs` so far.
    brought_in: String,
    /// For whoever sends the mails.
    told: Vec<String>,
}

impl Along {
    fn with(fork: &Path, upstream: &Path) -> Result<Self> {
        let of_upstream = dependencies(upstream)?;
        let mut own = dependencies(fork)?;
        own.retain(|name| !of_upstream.contains(name) && !name.starts_with("wasix-landlock"));
        Ok(Self {
            own: OwnModules::read(fork)?,
            dependencies: own,
            sent: BTreeSet::new(),
            brought_in: String::new(),
            told: Vec::new(),
        })
    }

    /// Adds to `source` what `patch` calls and no patch before it.
    fn add_called_by(&mut self, patch: &Patch, source: &Path) -> Result<()> {
        let called = self.own.called_by([patch]);
        let new = called
            .into_iter()
            .filter(|module| !self.sent.contains(*module));
        let new: BTreeSet<String> = new.map(str::to_owned).collect();
        for module in &new {
            for (name, text) in self.own.files(module) {
                let file = source.join(name);
                std::fs::create_dir_all(file.parent().unwrap_or(source))?;
                std::fs::write(file, text)?;
                let name = name.display();
                let patch = &patch.name;
                self.told
                    .push(format!("{patch}: the mail adds {name}, a file of the fork"));
            }
            for dependency in &self.dependencies {
                let name = dependency.replace('-', "_");
                if self.own.words_of(module).any(|word| word == name) {
                    self.told.push(format!(
                        "{}: src/{module}.rs needs `{dependency}`, which Cargo.toml has to name",
                        patch.name
                    ));
                }
            }
        }
        self.sent.extend(new);
        let modules = self.sent.iter().map(String::as_str).collect();
        self.bring_in(
            &source.join("src").join("lib.rs"),
            &self.own.brings_in(&modules),
        )
    }

    /// Puts these lines into `lib.rs`, in the place of those that were brought in before.
    fn bring_in(&mut self, root: &Path, lines: &str) -> Result<()> {
        let text = std::fs::read_to_string(root)?;
        let mut text = text.replacen(&self.brought_in, "", 1);
        self.brought_in = match lines.trim_end() {
            "" => return Ok(()),
            lines => format!("\n{lines}"),
        };
        let beside = text
            .lines()
            .find(|line| line.starts_with("pub mod ") || line.starts_with("mod "));
        text = match beside {
            Some(first) => text.replacen(first, &format!("{first}{}", self.brought_in), 1),
            None => format!("{}{}\n", text.trim_end(), self.brought_in),
        };
        std::fs::write(root, text)?;
        Ok(())
    }
}

/// The names of all that a crate depends on, on whatever system.
fn dependencies(folder: &Path) -> Result<BTreeSet<String>> {
    let manifest = folder.join("Cargo.toml");
    if !manifest.exists() {
        return Ok(BTreeSet::new());
    }
    let manifest: toml::Table = std::fs::read_to_string(manifest)?.parse()?;
    let mut tables = vec![&manifest];
    if let Some(targets) = manifest.get("target").and_then(toml::Value::as_table) {
        tables.extend(targets.values().filter_map(toml::Value::as_table));
    }
    let names = tables
        .into_iter()
        .filter_map(|table| table.get("dependencies")?.as_table())
        .flat_map(toml::Table::keys);
    Ok(names.cloned().collect())
}

/// The sender of the mails.
struct Sender {
    name: String,
    email: String,
}

impl Sender {
    fn of_this_user(folder: &Path) -> Result<Self> {
        let setting = |name: &str| match git(folder, &["config", "--get", name]) {
            Ok(value) if !value.trim().is_empty() => Ok(value.trim().to_owned()),
            _ => Err(format!(
                "git has no sender for the mails: set one with `git config --global {name} …`"
            )),
        };
        Ok(Self {
            name: setting("user.name")?,
            email: setting("user.email")?,
        })
    }

    fn commit(&self, repository: &Path, message: &str, date: Option<&str>) -> Result<()> {
        git_unconfigured(repository, &["add", "--all", "--force"])?;
        let (name, email) = (
            format!("user.name={}", self.name),
            format!("user.email={}", self.email),
        );
        let date = date.map(|day| format!("--date={day}T12:00:00Z"));
        let mut arguments = vec!["-c", &name, "-c", &email, "commit", "--quiet", "--message"];
        arguments.extend([message]);
        arguments.extend(date.as_deref());
        git_unconfigured(repository, &arguments)?;
        Ok(())
    }
}

fn absolute(path: &Path) -> Result<String> {
    let path: PathBuf = path.canonicalize()?;
    path.into_os_string()
        .into_string()
        .map_err(|path| format!("{} is not UTF-8", path.display()).into())
}
