//! `forks try`: the series on another version of upstream.

use std::path::Path;

use wasix_landlock_fork::{Manifest, Series, Trial, Upstream, materialize};

use crate::{Result, Scratch};

/// Says for each patch of `fork` how it fits `version` of the crate.
pub(crate) fn try_on(fork: &Path, version: &str) -> Result<()> {
    // It becomes part of a path, and of what cargo is asked for.
    let usual = |c: char| c.is_ascii_alphanumeric() || ".-+".contains(c);
    if !version.starts_with(|c: char| c.is_ascii_digit()) || !version.chars().all(usual) {
        return Err(format!("`{version}` is not a version").into());
    }
    let scratch = Scratch::new()?;
    let (pinned, other) = (scratch.0.join("pinned"), scratch.0.join("other"));
    let manifest = materialize(fork, &pinned, 0)?;
    let tried = Manifest {
        version: version.to_owned(),
        ..manifest.clone()
    };
    let download = scratch.0.join("download");
    if tried.version == manifest.version {
        Upstream::find(&tried, &[fork], &download)?.unpack(&tried, &other)?;
    } else {
        println!(
            "{} is not pinned: using the source that cargo has",
            tried.full_name()
        );
        Upstream::find_unpinned(&tried, &[fork], &download)?.unpack(&tried, &other)?;
    }

    let patches = Series::load(fork)?.patches;
    let mut trial = Trial::new(&pinned, &other);
    let mut failed = 0;
    for patch in &patches {
        let outcome = trial.patch(patch)?;
        println!("{outcome}");
        failed += usize::from(!outcome.applies());
    }
    if failed > 0 {
        return Err(format!(
            "{failed} of {} patches don't apply to {}; a failed patch adds no lines, so later \
             results may differ",
            patches.len(),
            tried.full_name()
        )
        .into());
    }
    println!("{} patches apply to {}", patches.len(), tried.full_name());
    Ok(())
}
