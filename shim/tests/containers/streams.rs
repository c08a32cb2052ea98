//! The streams of a container: pipes and terminals, compared with those that runc makes for a native program.

use std::{
    ffi::OsStr,
    fs,
    io::{Read as _, Write as _},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use crate::{
    daemon::{name, search_path},
    suite::{Case, Runtime, Suite, directory, text},
};

/// Every case.
pub(crate) const ALL: &[Case] = &[
    Case::new("standard_input_ends_when_the_client_s_does", pipes),
    Case::new("output_goes_to_the_file_that_is_named", to_file),
    Case::new("a_logging_program_is_an_error", to_program),
    Case::new("a_terminal_is_the_module_s", terminal),
    Case::new("a_terminal_s_keys_end_the_container", keys),
    Case::new("the_processes_of_a_container_are_listed", processes),
];

/// The size of the user's terminal: rows and columns.
const SIZE: &str = "41 101";

/// The shim with the module, and runc with the native program if there is one: both programs do the same.
fn both(suite: &Suite) -> Vec<(Runtime, &'static [&'static str])> {
    let mut both: Vec<(_, &[_])> = vec![(Runtime::Shim, &["/echo.wasm"])];
    if suite.native.is_ok() {
        both.push((Runtime::Runc, &["/native", "echo"]));
    }
    both
}

fn pipes(suite: &Suite) {
    for (by, arguments) in both(suite) {
        for said in ["", "one\ntwo\n"] {
            let mut command = suite.command_by(by, &[], &name(), arguments);
            command.stdin(Stdio::piped()).stdout(Stdio::piped());
            let mut child = command.spawn().expect("ctr starts");
            let mut output = child.stdout.take().expect("a pipe");
            // `ctr` misses an end that comes before the container has started.
            let mut first = [0; 5];
            output.read_exact(&mut first).expect("the program starts");
            assert_eq!(text(&first), "pipe\n", "{by:?}");
            let mut stdin = child.stdin.take().expect("a pipe");
            stdin.write_all(said.as_bytes()).expect("the pipe is open");
            drop(stdin);
            let mut rest = String::new();
            output
                .read_to_string(&mut rest)
                .expect("the output is text");
            assert_eq!(rest, said, "{by:?}");
            assert!(child.wait().expect("it was started").success(), "{by:?}");
        }
    }
}

fn to_file(suite: &Suite) {
    for (by, arguments) in both(suite) {
        let directory = directory(&[]);
        let file = directory.path().join("log");
        let options = [format!("--log-uri=file://{}", file.display())];
        let ran = suite.run_by(by, &options, arguments);
        assert!(ran.status.success(), "{by:?}: {ran:?}");
        let log = fs::read_to_string(&file).expect("the file was made");
        assert!(log.lines().any(|line| line == "pipe"), "{by:?}: {log}");
    }
}

fn to_program(suite: &Suite) {
    let ran = suite.run(
        &["--log-uri=binary:///bin/true".to_owned()],
        &["/seven.wasm"],
    );
    assert_eq!(ran.status.code(), Some(1), "{ran:?}");
    assert!(
        text(&ran.stderr).contains("the shim takes pipes and files"),
        "{ran:?}"
    );
}

fn terminal(suite: &Suite) {
    for (by, arguments) in both(suite) {
        let mut user = User::start(suite, by, arguments);
        user.reads("terminal\n");
        user.types("hello\r");
        // Once as it was typed, and once by the program.
        user.reads("hello\nhello\n");
        let stdin = suite.process_of(&user.id).join("fd/0");
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            let size = Command::new("stty")
                .arg("-F")
                .arg(&stdin)
                .arg("size")
                .output();
            let size = text(&size.expect("stty starts").stdout);
            if size.trim() == SIZE {
                break;
            }
            assert!(Instant::now() < until, "{by:?}: the size is {size}");
            thread::sleep(Duration::from_millis(50));
        }
        // The end of what is typed.
        user.types("\u{4}");
        assert_eq!(user.ended(), Some(0), "{by:?}");
    }
}

/// The shim ends a module by these signals. A native program that is the first of its namespace ignores them.
fn keys(suite: &Suite) {
    for (key, code) in [("\u{3}", 130), ("\u{1c}", 131)] {
        let mut user = User::start(suite, Runtime::Shim, &["/echo.wasm"]);
        user.reads("terminal\n");
        user.types(key);
        assert_eq!(user.ended(), Some(code));
    }
}

fn processes(suite: &Suite) {
    let waiting = suite.start_waiting(&[]);
    let process = waiting.process();
    let number = process.file_name().and_then(OsStr::to_str);
    let listed = suite.daemon.ctr(["task", "ps", &waiting.id]);
    let listed = text(&listed.stdout);
    let listed: Vec<_> = listed
        .lines()
        .skip(1)
        .map(|row| row.split_whitespace().next())
        .collect();
    assert_eq!(listed, [number]);
    assert_eq!(waiting.end_by("KILL"), Some(137));
}

/// Somebody at a terminal, who runs a container with one.
struct User {
    id: String,
    /// `script`, which has the user's terminal.
    child: Child,
    screen: Arc<Mutex<Vec<u8>>>,
}

impl User {
    fn start(suite: &Suite, by: Runtime, arguments: &[&str]) -> Self {
        let id = name();
        let run = suite.command_by(by, &["--tty".to_owned()], &id, arguments);
        let words = [run.get_program()].into_iter().chain(run.get_args());
        let words: Vec<_> = words.map(|word| format!("'{}'", word.display())).collect();
        let (rows, columns) = SIZE.split_once(' ').expect("two numbers");
        let line = format!("stty rows {rows} cols {columns}; exec {}", words.join(" "));
        let mut child = Command::new("script")
            .args(["--quiet", "--return", "--command", &line, "/dev/null"])
            .env("PATH", search_path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("script, of util-linux, starts");
        let screen = Arc::new(Mutex::new(Vec::new()));
        let shown = Arc::clone(&screen);
        let mut output = child.stdout.take().expect("a pipe");
        thread::spawn(move || {
            let mut bytes = [0; 1024];
            while let Ok(length @ 1..) = output.read(&mut bytes) {
                shown.lock().expect("no panic").extend(&bytes[..length]);
            }
        });
        Self { id, child, screen }
    }

    fn types(&mut self, keys: &str) {
        let stdin = self.child.stdin.as_mut().expect("a pipe");
        stdin.write_all(keys.as_bytes()).expect("the pipe is open");
    }

    /// Waits until the terminal shows a text. How often the cursor is set to the line's begin depends on `ctr`.
    fn reads(&self, expected: &str) {
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            let screen = text(&self.screen.lock().expect("no panic")).replace('\r', "");
            if screen.contains(expected) {
                return;
            }
            assert!(Instant::now() < until, "no {expected:?} in {screen:?}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits for the end, and returns the exit code.
    fn ended(mut self) -> Option<i32> {
        self.child.wait().expect("it was started").code()
    }
}
