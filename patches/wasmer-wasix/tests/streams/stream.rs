//! The filter around streams: slow ones, failing ones, a module's, and the program's own.

use std::{
    io::{self, SeekFrom},
    pin::Pin,
    process::Command,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncSeek, AsyncWrite, AsyncWriteExt, ReadBuf};
use virtual_fs::VirtualFile;
use wasix_landlock_engine::engine;
use wasix_landlock_profile::Compiler;
use wasix_landlock_testing::isolated;
use wasmer::{Module, Store};
use wasmer_wasix::{WasiEnv, profile::terminal};

use crate::inert::shown;

/// A stream that takes a few bytes at a time, every second time none at all, and fails when it is full.
#[derive(Debug)]
struct Slow {
    taken: Arc<Mutex<Vec<u8>>>,
    at_once: usize,
    space: usize,
    pauses: bool,
}

fn slow(at_once: usize, space: usize) -> (Arc<Mutex<Vec<u8>>>, terminal::StreamFile) {
    let taken = Arc::<Mutex<Vec<u8>>>::default();
    let stream = Slow {
        taken: taken.clone(),
        at_once,
        space,
        pauses: false,
    };
    (taken, Box::new(stream))
}

impl AsyncWrite for Slow {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        written: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.pauses = !self.pauses && self.at_once < 100;
        if self.pauses {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let mut taken = self.taken.lock().unwrap();
        let length = written
            .len()
            .min(self.at_once)
            .min(self.space - taken.len());
        if length == 0 {
            return Poll::Ready(Err(io::ErrorKind::StorageFull.into()));
        }
        taken.extend_from_slice(&written[..length]);
        Poll::Ready(Ok(length))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Slow {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsyncSeek for Slow {
    fn start_seek(self: Pin<&mut Self>, _: SeekFrom) -> io::Result<()> {
        Ok(())
    }

    fn poll_complete(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<u64>> {
        Poll::Ready(Ok(0))
    }
}

impl VirtualFile for Slow {
    fn last_accessed(&self) -> u64 {
        0
    }

    fn last_modified(&self) -> u64 {
        0
    }

    fn created_time(&self) -> u64 {
        0
    }

    fn size(&self) -> u64 {
        0
    }

    fn set_len(&mut self, _: u64) -> virtual_fs::Result<()> {
        Ok(())
    }

    fn unlink(&mut self) -> virtual_fs::Result<()> {
        Ok(())
    }

    fn poll_read_ready(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(0))
    }

    fn poll_write_ready(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(1))
    }
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    let tokio = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    tokio.block_on(future)
}

#[test]
fn a_write_tells_how_much_of_the_writers_bytes_was_taken() {
    let (taken, stream) = slow(usize::MAX, usize::MAX);
    let mut stream = terminal::filtered(stream, false);
    assert_eq!(wait(stream.write(b"\x1b\x1b[A")).unwrap(), 4);
    assert_eq!(*taken.lock().unwrap(), "␛␛[A".as_bytes());
}

#[test]
fn a_slow_stream_gets_all_of_it_in_order() {
    let output: Vec<u8> = (0..50_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    let (taken, stream) = slow(7, usize::MAX);
    let mut stream = terminal::filtered(stream, true);
    wait(async {
        for part in output.chunks(999) {
            stream.write_all(part).await.unwrap();
        }
        stream.shutdown().await.unwrap();
    });
    assert_eq!(*taken.lock().unwrap(), shown(true, [&output[..]]));
}

#[test]
fn an_error_of_the_stream_reaches_the_writer() {
    let (taken, stream) = slow(1000, 3);
    let mut stream = terminal::filtered(stream, false);
    let error = wait(stream.write_all(b"four")).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert_eq!(*taken.lock().unwrap(), b"fou");
}

#[test]
fn what_is_held_and_the_colours_end_with_the_stream() {
    let (taken, stream) = slow(1000, usize::MAX);
    let mut stream = terminal::filtered(stream, true);
    wait(stream.write_all(b"\x1b[31mred\xe2\x80")).unwrap();
    assert_eq!(*taken.lock().unwrap(), b"\x1b[31mred");
    drop(stream);
    assert_eq!(
        *taken.lock().unwrap(),
        "\x1b[31mred\u{fffd}\x1b[m".as_bytes()
    );
}

/// Writes a title for the terminal, in two writes that divide the sequence, and fails unless each count is what it
/// wrote.
const TITLE: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "\20\00\00\00\02\00\00\00" "\22\00\00\00\08\00\00\00")
    (data (i32.const 32) "a\1b" "]0;evil\07")
    (func $whole (param $vector i32) (param $size i32)
        (if (call $write (i32.const 1) (local.get $vector) (i32.const 1) (i32.const 16)) (then unreachable))
        (if (i32.ne (i32.load (i32.const 16)) (local.get $size)) (then unreachable)))
    (func (export "_start")
        (call $whole (i32.const 0) (i32.const 2))
        (call $whole (i32.const 8) (i32.const 8))))"#;

fn run_title(stream: terminal::StreamFile) {
    let engine = engine(Compiler::Singlepass);
    let mut store = Store::new(engine.clone());
    let module = Module::new(&engine, TITLE).unwrap();
    let builder = WasiEnv::builder("title").engine(engine).stdout(stream);
    let (instance, _env) = builder.instantiate(module, &mut store).unwrap();
    let start = instance.exports.get_function("_start").unwrap();
    start.call(&mut store, &[]).unwrap();
}

#[test]
fn a_module_sees_no_difference() {
    isolated!(|| {
        let (taken, stream) = slow(usize::MAX, usize::MAX);
        run_title(terminal::filtered(stream, false));
        assert_eq!(*taken.lock().unwrap(), "a␛]0;evil␇".as_bytes());
    });
}

/// Names the child of the next test.
const CHILD: &str = "WASIX_LANDLOCK_STREAM_CHILD";

#[test]
fn the_programs_own_stream_is_filtered_on_a_terminal_and_not_in_a_pipe() {
    const NAME: &str =
        "stream::the_programs_own_stream_is_filtered_on_a_terminal_and_not_in_a_pipe";
    if std::env::var_os(CHILD).is_some() {
        let tokio = tokio::runtime::Runtime::new().unwrap();
        let _entered = tokio.enter();
        return run_title(terminal::stdout(false));
    }
    let itself = std::env::current_exe().unwrap();
    let itself = itself.to_str().unwrap();
    let output = |program: &mut Command| {
        let output = program.env(CHILD, "1").output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let piped = output(Command::new(itself).args(["--exact", NAME, "--nocapture"]));
    assert!(piped.contains("a\x1b]0;evil\x07"), "{piped:?}");
    // `script` gives its command a terminal.
    if Command::new("script").arg("--version").output().is_err() {
        wasix_landlock_testing::skip!("there is no `script` here");
    }
    let command = format!("{itself} --exact {NAME} --nocapture");
    let on_terminal = output(Command::new("script").args(["-qec", &command, "/dev/null"]));
    assert!(on_terminal.contains("a␛]0;evil␇"), "{on_terminal:?}");
    assert!(!on_terminal.contains("\x1b]0"), "{on_terminal:?}");
}
