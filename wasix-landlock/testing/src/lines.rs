//! The two lines that bring the forks into a build.

use std::path::Path;

/// Returns cargo's arguments for both lines, with the forks in `folder`.
#[must_use]
pub fn patch_lines(folder: &Path) -> [String; 2] {
    ["wasmer-wasix", "virtual-fs"].map(|fork| {
        let path = folder.join(fork);
        format!(
            "--config=patch.crates-io.{fork}.path=\"{}\"",
            path.display()
        )
    })
}
