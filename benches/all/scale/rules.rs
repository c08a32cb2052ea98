//! The share of Landlock in opening a file, by the distance of the nearest rule.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Instant;

use wasix_landlock::{Access, HostKind, HostTarget, Policy, RecordedPreopen};
use wasix_landlock_benches::{Column, Samples, Table};

use super::{About, sample, table};
use crate::context::Context;

/// The directories between the preopen and the file.
const DEPTH: usize = 30;
/// The directories from the nearest rule to the file. The first row has the preopen's rule only.
const DISTANCES: [usize; 4] = [DEPTH, 15, 5, 1];

/// Takes all samples.
///
/// # Errors
/// A sample that fails.
pub fn measure(context: &Context) -> anyhow::Result<Table> {
    let mut samples = Samples::default();
    for round in 0..context.samples {
        context.say(&format!(
            "scale: round {} of {}: distances of rules",
            round + 1,
            context.samples
        ));
        for distance in DISTANCES {
            let row = distance.to_string();
            for (column, access, enforced) in [
                ("off", "read", false),
                ("read", "read", true),
                ("read and write", "write", true),
            ] {
                let arguments = [access.to_owned(), row.clone()];
                let (took, _) = sample(context, "rules", enforced, &arguments)?;
                samples.add(&row, column, took);
            }
        }
    }
    let about = About {
        id: "rules",
        title: "Nearer rules",
        text: "Opening a file for reading and closing it, 30 directories below the preopen, natively, with the preopen's rule \
               and one more so many directories above the file. The first row has the preopen's rule only. Landlock walks up \
               from the file until rules have granted the access, and the right to truncate, which it asks for at each open. \
               Rules for reading don't grant that, so that the walk ends at the host's root.",
        head: "directories from the nearest rule",
        drawn: (
            "Time of open + close by distance",
            &["off", "read", "read and write"],
        ),
    };
    let columns = ["off", "read", "read and write"].map(|name| Column::new(name, "µs"));
    Ok(table(&about, &DISTANCES, &columns, &samples))
}

/// Opens and closes the file many times.
///
/// # Errors
/// An error of the file system, and what the policy says.
pub fn take_sample(access: &str, distance: usize, work: &Path) -> anyhow::Result<()> {
    const BATCHES: usize = 31;
    const OPENS: u32 = 2000;
    let root = work.join("rules");
    let directory =
        |depth: usize| -> PathBuf { (0..depth).map(|level| format!("d{level}")).collect() };
    fs::create_dir_all(root.join(directory(DEPTH)))?;
    let file = directory(DEPTH).join("file");
    fs::write(root.join(&file), "")?;
    let access = match access {
        "write" => Access::READ_WRITE,
        _ => Access::READ,
    };
    let granted = |path: PathBuf| RecordedPreopen {
        guest: path.display().to_string(),
        origin: "rules",
        access,
        targets: vec![HostTarget {
            path,
            kind: HostKind::Directory,
            access,
        }],
    };
    let nearest = root.join(directory(DEPTH - distance));
    std::env::set_current_dir(&root)?;
    Policy::default()
        .preopens([granted(root), granted(nearest)])
        .enforce()?;
    let mut batches: Vec<f64> = Vec::new();
    for _ in 0..BATCHES {
        let begun = Instant::now();
        for _ in 0..OPENS {
            File::open(&file)?;
        }
        batches.push(begun.elapsed().as_secs_f64() * 1e6 / f64::from(OPENS));
    }
    batches.sort_by(f64::total_cmp);
    println!("[{}, 0]", batches[BATCHES / 2]);
    Ok(())
}
