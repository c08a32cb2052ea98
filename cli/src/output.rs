//! Output for machines, and progress for people.

use std::io::{IsTerminal as _, Write as _};

use serde::Serialize;

/// Prints JSON to standard output.
///
/// # Errors
/// A value without a form in JSON, such as a path that isn't UTF-8; a closed output.
pub fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    let mut output = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut output, value)?;
    writeln!(output)?;
    Ok(())
}

/// A line about something that takes long, which disappears when it is done. Only a terminal shows it.
pub struct Progress(bool);

impl Progress {
    /// Shows the line.
    pub fn begin(text: &str) -> Self {
        let mut stderr = std::io::stderr();
        let shown = stderr.is_terminal();
        if shown {
            let _ = write!(stderr, "\r\x1b[K{}…", text.escape_debug());
            let _ = stderr.flush();
        }
        Self(shown)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.0 {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
