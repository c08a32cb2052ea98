//! Starting workers, and hearing what they say.

use std::{
    ffi::OsStr,
    fs,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use wasix_landlock_testing::ask::Answer;
use wasix_landlock_worker::{Access, Compiler, Launcher, Outcome, Profile, Worker};

/// Long enough for whatever ends by itself.
pub const PATIENCE: Option<Duration> = Some(Duration::from_secs(50));

pub const COMPILERS: [Compiler; 2] = [Compiler::Cranelift, Compiler::Singlepass];

/// The programs, where an ordinary user can start them too.
pub struct Programs {
    directory: PathBuf,
}

impl Programs {
    /// Copies them to where temporary files go.
    pub fn copy() -> Self {
        let program = Path::new(env!("CARGO_BIN_EXE_wasix-landlock-worker"));
        let directory = std::env::temp_dir();
        fs::copy(program, directory.join("worker")).unwrap();
        let asking = program.parent().unwrap().join("examples/asking_worker");
        fs::copy(asking, directory.join("asking")).unwrap();
        Self { directory }
    }

    pub fn worker(&self) -> PathBuf {
        self.directory.join("worker")
    }

    pub fn launcher(&self) -> Launcher {
        Launcher::new(self.worker())
    }

    /// A worker that asks the kernel these questions, such as for files by their paths.
    pub fn asking<Q: AsRef<OsStr>>(&self, questions: impl IntoIterator<Item = Q>) -> Launcher {
        let launcher = Launcher::new(self.directory.join("asking"));
        questions.into_iter().fold(launcher, |launcher, question| {
            launcher.argument(question.as_ref())
        })
    }
}

/// Makes two tests of a body: as this user, and as one without privileges.
macro_rules! for_both_users {
    (fn $name:ident($programs:ident) $body:block) => {
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            fn body($programs: &crate::common::Programs) $body

            #[test]
            fn as_this_user() {
                wasix_landlock_testing::isolated!(|| body(&crate::common::Programs::copy()));
            }

            #[test]
            fn as_an_ordinary_user() {
                wasix_landlock_testing::isolated!(|| {
                    let programs = crate::common::Programs::copy();
                    wasix_landlock_testing::as_ordinary_user(|| body(&programs));
                });
            }
        }
    };
}
pub(crate) use for_both_users;

/// Reads all that a worker prints.
pub fn output(worker: &mut Worker) -> thread::JoinHandle<String> {
    let mut pipe = worker.output().unwrap();
    thread::spawn(move || {
        let mut text = String::new();
        pipe.read_to_string(&mut text).unwrap();
        text
    })
}

/// Waits until the module runs, which prints a point.
pub fn is_there(worker: &mut Worker) {
    let mut byte = [0];
    worker.output().unwrap().read_exact(&mut byte).unwrap();
    assert_eq!(&byte, b".");
}

/// Returns the kernel's answers to an asking worker.
pub fn answers(worker: &mut Worker) -> Vec<Answer> {
    let mut answers = Vec::new();
    for line in BufReader::new(worker.errors().unwrap()).lines() {
        match line.unwrap().strip_prefix("asked ") {
            Some("everything") => return answers,
            Some(asked) => answers.push(match asked.split_once('\t').unwrap().1 {
                "Ok(())" => Ok(()),
                error => Err(error
                    .trim_start_matches("Err(")
                    .trim_end_matches(')')
                    .parse()
                    .unwrap()),
            }),
            None => {}
        }
    }
    panic!("the worker has ended: {:?}", worker.wait(PATIENCE));
}

pub fn finish(mut worker: Worker) -> (Outcome, String) {
    let text = output(&mut worker);
    let outcome = worker.wait(PATIENCE).unwrap();
    (outcome, text.join().unwrap())
}

/// Directories `tenant0` and so on, each with a file that names it.
pub struct Tenants(tempfile::TempDir);

impl Tenants {
    pub fn new(count: usize) -> Self {
        let tenants = Self(tempfile::tempdir().unwrap());
        for number in 0..count {
            fs::create_dir(tenants.directory(number)).unwrap();
            fs::write(tenants.file(number), format!("tenant {number}")).unwrap();
        }
        tenants
    }

    pub fn directory(&self, number: usize) -> PathBuf {
        self.0.path().join(format!("tenant{number}"))
    }

    pub fn file(&self, number: usize) -> PathBuf {
        self.directory(number).join("file")
    }

    /// A profile with the directory as `data`.
    pub fn shown(&self, number: usize, access: Access) -> Profile {
        Profile::as_without()
            .preopen(|p| {
                p.directory(self.directory(number))
                    .alias("data")
                    .access(access)
            })
            .unwrap()
    }
}
