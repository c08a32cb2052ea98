//! The kernel's audit log has a record for a denial that the module's events have.
//!
//! Auditing concerns a whole machine, so no test turns it on: only the emulated kernel of
//! `wasix-landlock/kernels/run --audit` has it on.

use std::fs::File;
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use wasix_landlock_testing::{ask, isolated};
use wasmer_wasix::landlock::{Cause, DenialEvent};

use crate::common::{DENIED, tree::Tree};
use crate::denials::only;
use crate::kernel_denials::with_a_mount_that_comes_later;

/// Set where auditing is on.
const AUDITED: &str = "WASIX_LANDLOCK_TEST_AUDITED";

/// No record takes near as long to appear.
const DEADLINE: Duration = Duration::from_secs(20);

/// A Landlock record of the audit log: a denied access right and its path.
#[derive(Debug, PartialEq, Eq)]
struct Record {
    right: String,
    path: PathBuf,
}

impl Record {
    /// Parses a line of the kernel's log; `None` for another kind of record.
    fn parse(line: &str) -> Option<Self> {
        // AUDIT_LANDLOCK_ACCESS in linux/audit.h
        let (_, fields) = line.split_once("type=1423 ")?;
        let value = |name: &str| fields.split_once(name)?.1.split([' ', '\n']).next();
        Some(Self {
            right: value("blockers=")?.to_owned(),
            path: value("path=")?.trim_matches('"').into(),
        })
    }
}

/// The kernel's log, which has the records while no program takes them.
struct Log(File);

impl Log {
    /// Opens the log at its end.
    fn open() -> Self {
        let mut options = File::options();
        options.read(true).custom_flags(libc::O_NONBLOCK);
        let mut file = options.open("/dev/kmsg").unwrap();
        file.seek(SeekFrom::End(0)).unwrap();
        Self(file)
    }

    /// Returns the records until the denial of reading `last`, without that one.
    fn until(&mut self, last: &Path) -> Vec<Record> {
        let begun = Instant::now();
        let (mut records, mut line) = (Vec::new(), [0; 8192]);
        loop {
            let text = match self.0.read(&mut line) {
                Ok(length) => String::from_utf8_lossy(&line[..length]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    assert!(
                        begun.elapsed() < DEADLINE,
                        "no record of {last:?}: {records:?}"
                    );
                    sleep(Duration::from_millis(20));
                    continue;
                }
                Err(error) => panic!("{error}"),
            };
            match Record::parse(&text) {
                Some(record) if record.path == last => return records,
                record => records.extend(record),
            }
        }
    }
}

#[test]
fn one_denial_is_one_record_and_one_event() {
    if std::env::var_os(AUDITED).is_none() {
        skip!("auditing is on in an emulated kernel only: wasix-landlock/kernels/run --audit");
    }
    isolated!(|| {
        let tree = Tree::new();
        // Denials whose records end what is looked at.
        let [first, last] = ["first", "last"].map(|name| tree.path("also").join(name));
        for file in [&first, &last] {
            std::fs::write(file, "content").unwrap();
        }
        let mut log = Log::open();

        let mut guest = with_a_mount_that_comes_later(&tree);
        assert_eq!(ask::open_read(&first), DENIED);
        assert_eq!(log.until(&first), [], "the proofs are in the audit log");

        let data = guest.preopen("/data");
        guest.read(data, "later/file").unwrap_err();
        assert_eq!(ask::open_read(&last), DENIED);
        let event = DenialEvent::from(&only(&guest));
        assert_eq!(event.cause, Cause::Kernel.name());
        let host = event.host.unwrap();
        assert_eq!(Path::new(&host), tree.path("also/file"));
        let record = Record {
            right: "fs.read_file".to_owned(),
            path: host.into(),
        };
        assert_eq!(log.until(&last), [record]);
    });
}
