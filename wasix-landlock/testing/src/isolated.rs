//! A test body in a child process: this test binary again, with this one test.

use std::{
    env,
    fs::{self, Permissions},
    io::{self, Read},
    os::unix::{
        fs::PermissionsExt,
        process::{CommandExt, ExitStatusExt},
    },
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::program::wait;
use crate::{skip, sys};

/// The time that a child may take.
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// Names the test whose body a child is to run.
const NAME: &str = "WASIX_LANDLOCK_TESTING_NAME";
/// The line that a child prints when the body has come to its end. It differs from child to child, so that
/// no test can print it by accident.
const MARKER: &str = "WASIX_LANDLOCK_TESTING_MARKER";

/// True if this child has run its body.
static RAN: AtomicBool = AtomicBool::new(false);

/// Runs a body in a child process, under the name of the test that this is called from.
///
/// The body must not catch anything of its surroundings that the parent has changed: the child
/// comes here on its own. For the same reason a test can do this once, and not in a loop.
#[macro_export]
macro_rules! isolated {
    ($body:expr) => {{
        fn here() {}
        let name = ::std::any::type_name_of_val(&here);
        let name = name.strip_suffix("::here").unwrap_or(name);
        // Test names don't have the crate in front.
        let name = name.split_once("::").map_or(name, |(_, name)| name);
        $crate::isolated(name, $body)
    }};
}

/// Runs a body in a child process, with a directory for temporary files that the parent removes.
///
/// `name` is the calling test's name as libtest has it, such as
/// `module::test`.
///
/// # Panics
///
/// When the child fails, dies, takes longer than [`TIMEOUT`], or never comes to the body's end.
pub fn isolated(name: &str, body: impl FnOnce()) {
    if let Err(failure) = run(name, TIMEOUT, body) {
        panic!("{failure}");
    }
}

/// As [`isolated()`], with the timeout given.
///
/// # Errors
///
/// What happened instead of success, with the child's output.
pub fn run(name: &str, timeout: Duration, body: impl FnOnce()) -> Result<(), String> {
    if let Ok(this) = env::var(NAME) {
        assert_eq!(this, name, "a child runs one test's body only");
        // The child comes by every call in the test, and what one has enforced stays.
        assert!(
            !RAN.swap(true, Ordering::SeqCst),
            "a test isolates one body only"
        );
        body();
        println!("\n{}", env::var(MARKER).unwrap_or_default());
        return Ok(());
    }
    let marker = marker();
    let scratch = Scratch::new(&marker).map_err(|error| format!("no scratch: {error}"))?;
    let mut child = spawn(name, &marker, &scratch.0)
        .map_err(|error| format!("no child for {name}: {error}"))?;
    let stdout = collect(child.stdout.take());
    let stderr = collect(child.stderr.take());
    let ended = wait(&mut child, timeout);
    // Whatever the body has started would keep the pipes open.
    sys::kill_group(child.id());
    let status = ended.map_or_else(|| child.wait().map(|_| None), |status| Ok(Some(status)));
    let stdout = stdout.join().unwrap_or_default();
    let stderr = stderr.join().unwrap_or_default();
    let status = status.map_err(|error| format!("{name} can't be waited for: {error}"))?;
    judge(name, status, timeout, &stdout, &marker)
        .map_err(|failure| format!("{failure}\n--- stdout\n{stdout}\n--- stderr\n{stderr}"))?;
    skip::pass_on(name, &stdout);
    Ok(())
}

/// Ends a child with success, wherever it is, after [`skip::skipped`].
pub(crate) fn end_child() -> ! {
    println!("\n{}", env::var(MARKER).unwrap_or_default());
    std::process::exit(0)
}

fn judge(
    name: &str,
    status: Option<ExitStatus>,
    timeout: Duration,
    stdout: &str,
    marker: &str,
) -> Result<(), String> {
    let Some(status) = status else {
        return Err(format!(
            "{name} in a process of its own took over {timeout:?}"
        ));
    };
    if let Some(signal) = status.signal() {
        return Err(format!(
            "{name} in a process of its own died of signal {signal}"
        ));
    }
    if !status.success() {
        return Err(format!("{name} in a process of its own failed: {status}"));
    }
    if !stdout.contains(marker) {
        return Err(format!(
            "{name} in a process of its own never came to the end of its body; is that its name?"
        ));
    }
    Ok(())
}

fn marker() -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("body-of-{}-{count}-has-ended", std::process::id())
}

/// The child's directory for temporary files. A child that is restricted can't clean up.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> io::Result<Self> {
        let path = env::temp_dir().join(name);
        fs::create_dir(&path)?;
        // The child may become another user.
        fs::set_permissions(&path, Permissions::from_mode(0o1777))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("{} stays behind: {error}", self.0.display());
        }
    }
}

fn spawn(name: &str, marker: &str, scratch: &Path) -> io::Result<Child> {
    Command::new(env::current_exe()?)
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(NAME, name)
        .env(MARKER, marker)
        .env("TMPDIR", scratch)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
}

fn collect(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What was read before an error is worth showing.
            let _ = pipe.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// True if this is a child that runs a test's body.
pub(crate) fn is_child() -> bool {
    env::var_os(NAME).is_some()
}
