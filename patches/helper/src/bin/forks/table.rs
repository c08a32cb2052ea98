//! `forks table`: what is forked and how it is patched, as Markdown.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use wasix_landlock_fork::{Manifest, Patch, Series};

use crate::{Result, versions};

/// A piece of a document that is generated, between two marks.
struct Piece {
    name: &'static str,
    text: String,
}

impl Piece {
    fn begin(&self) -> String {
        format!("<!-- {}: generated, see `forks table` -->\n", self.name)
    }

    fn end(&self) -> String {
        format!("<!-- end of {} -->\n", self.name)
    }
}

/// Prints the tables of `forks`, with links that are right in the current directory.
pub(crate) fn print(forks: &[PathBuf]) -> Result<()> {
    for piece in pieces(Path::new("."), forks)? {
        println!("{}", piece.text);
    }
    Ok(())
}

/// Compares what is between the marks in the document `file` with the tables of `forks`, or puts them
/// there.
pub(crate) fn in_file(file: &Path, forks: &[PathBuf], write: bool) -> Result<()> {
    let text = std::fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
    // The parent of a bare file name is empty.
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let mut generated = text.clone();
    for piece in pieces(folder.unwrap_or(Path::new(".")), forks)? {
        let (begin, end) = (piece.begin(), piece.end());
        let missing = || {
            let (begin, end) = (begin.trim_end(), end.trim_end());
            format!("{} lacks the lines `{begin}` and `{end}`", file.display())
        };
        let (before, rest) = generated.split_once(&begin).ok_or_else(missing)?;
        let (_, after) = rest.split_once(&end).ok_or_else(missing)?;
        generated = format!("{before}{begin}\n{}\n{end}{after}", piece.text);
    }
    if generated == text {
        return Ok(());
    }
    if write {
        std::fs::write(file, generated)?;
        return Ok(());
    }
    let stale = text
        .lines()
        .zip(generated.lines())
        .position(|(is, should)| is != should);
    let line = stale.unwrap_or_else(|| text.lines().count().min(generated.lines().count())) + 1;
    let forks: Vec<_> = forks
        .iter()
        .map(|fork| fork.display().to_string())
        .collect();
    Err(format!(
        "{}, line {line}: differs from the forks: run `forks table --write {} {}`",
        file.display(),
        file.display(),
        forks.join(" ")
    )
    .into())
}

fn pin(manifest: &Manifest) -> String {
    format!(
        "| `{}` | {} | `{}` | `{}` | `{}` | {} | {} |\n",
        manifest.name,
        manifest.version,
        manifest.crate_sha256,
        manifest.upstream_commit,
        manifest.upstream_path,
        manifest.rust_version,
        manifest.license
    )
}

fn pieces(folder: &Path, forks: &[PathBuf]) -> Result<[Piece; 3]> {
    let mut pins = String::from(
        "| crate | version | SHA-256 of the `.crate` | upstream's commit | there in | Rust | licence |\n\
         |---|---|---|---|---|---|---|\n",
    );
    let (mut patches, mut fork_only) = (String::new(), String::new());
    for fork in forks {
        let manifest = Manifest::load(fork)?;
        pins.push_str(&pin(&manifest));
        for version in versions::of(fork)? {
            pins.push_str(&pin(&Manifest::load(&version)?));
        }
        if !patches.is_empty() {
            patches.push('\n');
        }
        write!(
            patches,
            "**{}**\n\n\
             | | purpose | files | + | − | forwarded | drop when |\n\
             |---|---|---|---|---|---|---|\n",
            manifest.name
        )?;
        for (number, patch) in Series::load(fork)?.patches.iter().enumerate() {
            patches.push_str(&row(folder, fork, number + 1, patch));
            if patch.is_fork_only() {
                let why = patch.whole_field("Description").unwrap_or_default();
                let subject = patch.field("Subject").unwrap_or_default();
                writeln!(
                    fork_only,
                    "- `{}`: {subject}. {}",
                    manifest.name,
                    why.replace('\n', "\n  ")
                )?;
            }
        }
    }
    if fork_only.is_empty() {
        fork_only.push_str("No patch is.\n");
    }
    Ok([
        ("pins", pins),
        ("patches", patches),
        ("patches for the fork only", fork_only),
    ]
    .map(|(name, text)| Piece { name, text }))
}

fn row(folder: &Path, fork: &Path, number: usize, patch: &Patch) -> String {
    let field = |name| cell(&patch.whole_field(name).unwrap_or_default());
    let files: Vec<String> = patch
        .files()
        .map(|file| format!("`{}`", file.display()))
        .collect();
    let (added, removed) = patch.changed_lines();
    let number = match link(folder, &fork.join(&patch.name)) {
        Some(link) => format!("[{number}]({link})"),
        None => number.to_string(),
    };
    format!(
        "| {number} | {} | {} | {added} | {removed} | {} | {} |\n",
        field("Subject"),
        files.join(", "),
        field("Forwarded"),
        field("Drop-When")
    )
}

fn cell(text: &str) -> String {
    text.replace('\n', " ").replace('|', "\\|")
}

/// `file` as seen from `folder`, if it is below it.
fn link(folder: &Path, file: &Path) -> Option<String> {
    let (folder, file) = (folder.canonicalize().ok()?, file.canonicalize().ok()?);
    let parts = file.strip_prefix(folder).ok()?.components();
    let parts: Vec<_> = parts
        .map(|part| part.as_os_str().to_string_lossy())
        .collect();
    Some(parts.join("/"))
}
