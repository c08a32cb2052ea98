//! The parts of documents that the benchmarks write.

use std::fs;
use std::path::Path;

use anyhow::Context as _;

/// Puts `text` between the marks of the part `name` of the document `path`.
///
/// # Errors
/// A document that lacks them, and what the file system says.
pub fn write_part(path: &Path, name: &str, text: &str) -> anyhow::Result<()> {
    let begin = format!("<!-- {name}: made by the benchmarks -->");
    let end = format!("<!-- end of {name} -->");
    let document = fs::read_to_string(path)?;
    let lacks = |mark: &str| format!("{} lacks the mark `{mark}`", path.display());
    let (before, rest) = document.split_once(&begin).with_context(|| lacks(&begin))?;
    let (_, after) = rest.split_once(&end).with_context(|| lacks(&end))?;
    Ok(fs::write(
        path,
        format!("{before}{begin}\n{text}\n{end}{after}"),
    )?)
}
