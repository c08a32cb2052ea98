//! `forks export`: the patches as mails for upstream.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use wasix_landlock_fork::{Manifest, Patch, Series, Trial, materialize};

use crate::git::{git, git_unconfigured};
use crate::{Result, Scratch, check_header};

/// Writes each patch of `fork` that isn't for the fork only as a mail in the new folder `directory`.
pub(crate) fn export(fork: &Path, directory: &Path) -> Result<()> {
    if directory.exists() {
        return Err(format!("{} is there already", directory.display()).into());
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
    let mut own = OwnModules::of(fork)?;
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
                "{outcome}\nit depends on what is for this fork only ({}): put it before that in the series, \
                 or send both",
                needed.join(", ")
            )
            .into());
        }
        for (file, text) in trial.patched() {
            std::fs::write(source.join(file), text)?;
        }
        own.add_named_by(patch, &source)?;
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
    for (patch, module) in &own.sent {
        println!("{patch}: the mail brings src/{module}.rs along, which is the fork's own");
    }
    for patch in &fork_only {
        println!("{}: for this fork only, not exported", patch.name);
    }
    Ok(())
}

/// What upstream reads: where it is, what it does, why. The other fields are of use here only.
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

/// Those of `fork_only` that change one of `files`.
fn needed<'a>(fork_only: &[&Patch], files: impl Iterator<Item = &'a Path>) -> Vec<String> {
    let files: BTreeSet<&Path> = files.collect();
    let needed = fork_only
        .iter()
        .filter(|patch| patch.files().any(|file| files.contains(file)));
    needed.map(|patch| patch.name.clone()).collect()
}

/// The modules of the fork's own, which a patch may call: they go with the first patch that names them.
struct OwnModules {
    folder: PathBuf,
    /// Each module in a file of its own, with the lines that bring it in: attributes, `pub mod`, `pub use`.
    left: BTreeMap<String, String>,
    /// What upstream's `lib.rs` has been given so far.
    brought_in: String,
    /// The patch and the module.
    sent: Vec<(String, String)>,
}

impl OwnModules {
    fn of(fork: &Path) -> Result<Self> {
        let folder = fork.join("src");
        let root = std::fs::read_to_string(folder.join("lib.rs")).unwrap_or_default();
        let mut left: BTreeMap<String, String> = BTreeMap::new();
        let mut attributes = String::new();
        for line in root.lines() {
            let declared = line.strip_prefix("pub mod ").or(line.strip_prefix("mod "));
            let module = match (declared, line.strip_prefix("pub use ")) {
                (Some(module), _) => module.strip_suffix(';'),
                (_, Some(used)) => used.split("::").next(),
                _ => None,
            };
            match module.filter(|module| folder.join(format!("{module}.rs")).is_file()) {
                Some(module) => {
                    let lines = left.entry(module.to_owned()).or_default();
                    lines.push_str(&std::mem::take(&mut attributes));
                    lines.push_str(line);
                    lines.push('\n');
                }
                None if line.starts_with("#[") => attributes.push_str(&format!("{line}\n")),
                None => attributes.clear(),
            }
        }
        Ok(Self {
            folder,
            left,
            brought_in: String::new(),
            sent: Vec::new(),
        })
    }

    /// Adds those to `source` that the lines which `patch` adds name: the module, or what is used from it.
    fn add_named_by(&mut self, patch: &Patch, source: &Path) -> Result<()> {
        let added: String = patch.added_lines().collect();
        let words: BTreeSet<&str> = words(&added).collect();
        let named: Vec<String> = self
            .left
            .iter()
            .filter(|(module, lines)| {
                let mut used = lines
                    .lines()
                    .filter_map(|line| line.strip_prefix("pub use "))
                    .flat_map(self::words);
                words.contains(module.as_str()) || used.any(|name| words.contains(name))
            })
            .map(|(module, _)| module.clone())
            .collect();
        let root = source.join("src").join("lib.rs");
        for module in named {
            let file = format!("{module}.rs");
            std::fs::copy(self.folder.join(&file), source.join("src").join(&file))?;
            self.brought_in
                .push_str(&self.left.remove(&module).unwrap_or_default());
            self.sent.push((patch.name.clone(), module));
        }
        let text = std::fs::read_to_string(&root)?;
        if self.brought_in.is_empty() || text.contains(self.brought_in.trim_end()) {
            return Ok(());
        }
        let modules = self.brought_in.trim_end();
        let beside = text
            .lines()
            .find(|line| line.starts_with("pub mod ") || line.starts_with("mod "));
        let text = match beside {
            Some(first) => text.replacen(first, &format!("{first}\n{modules}"), 1),
            None => format!("{text}{modules}\n"),
        };
        std::fs::write(&root, text)?;
        Ok(())
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
}

/// Who the mails are from.
struct Sender {
    name: String,
    email: String,
}

impl Sender {
    fn of_this_user(folder: &Path) -> Result<Self> {
        let setting = |name: &str| match git(folder, &["config", "--get", name]) {
            Ok(value) if !value.trim().is_empty() => Ok(value.trim().to_owned()),
            _ => Err(format!(
                "git doesn't know who sends the mails: `git config --global {name} …`"
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
