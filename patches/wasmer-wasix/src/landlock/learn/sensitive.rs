//! Host paths that a module better isn't given without a thought.

use std::fmt;
use std::path::{Path, PathBuf};

use wasix_landlock::HostKind;

/// The reason for which a path is sensitive.
///
/// What is looked for: the root of the file system; `/etc`, `/root`, `/home` and any home directory as a whole, and what
/// holds them; `/proc`, `/sys`, `/dev`, `/boot` and `/run`; the files of passwords and of privileges in `/etc`; in any
/// home directory the files and directories in which programs keep keys, tokens, passwords, cookies and what was typed;
/// and files anywhere that are called like private keys, if one that was there before is read. The list can't be
/// complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Sensitive {
    /// All of the system, or a directory with much that belongs to others.
    TooMuch,
    /// Kernel interfaces, devices and sockets.
    System,
    /// Passwords, privileges and host keys of the system.
    Accounts,
    /// Keys, tokens, passwords, cookies or what was typed, of a user.
    Credentials,
    /// The name is that of a private key.
    Key,
}

impl Sensitive {
    /// The reason for which a host path is sensitive, if it is; `reads` is true if something reads what was there
    /// before.
    ///
    /// ```
    /// use wasmer_wasix::landlock::{HostKind, Sensitive};
    ///
    /// let shadow = Sensitive::of("/etc/shadow", HostKind::File, true);
    /// assert_eq!(shadow, Some(Sensitive::Accounts));
    /// assert_eq!(Sensitive::of("/srv/data", HostKind::Directory, true), None);
    /// ```
    #[must_use]
    pub fn of(host: impl AsRef<Path>, kind: HostKind, reads: bool) -> Option<Self> {
        let host = std::path::absolute(&host).unwrap_or_else(|_| host.as_ref().to_owned());
        find(&host, kind, reads)
    }
}

impl fmt::Display for Sensitive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooMuch => "a directory with much that belongs to others",
            Self::System => "interfaces of the kernel, devices or sockets",
            Self::Accounts => "the system's passwords, privileges or keys",
            Self::Credentials => "a user's keys, tokens, passwords or history",
            Self::Key => "called like a private key",
        })
    }
}

/// Directories that hold too much as a whole.
const TOO_MUCH: [&str; 9] = [
    "/", "/etc", "/home", "/root", "/usr", "/var", "/opt", "/srv", "/mnt",
];

/// With all below them.
const SYSTEM: [&str; 6] = ["/proc", "/sys", "/dev", "/boot", "/run", "/var/run"];

/// With all below them.
const ACCOUNTS: [&str; 11] = [
    "/etc/shadow",
    "/etc/shadow-",
    "/etc/gshadow",
    "/etc/gshadow-",
    "/etc/sudoers",
    "/etc/sudoers.d",
    "/etc/ssh",
    "/etc/ssl/private",
    "/etc/pki/tls/private",
    "/etc/NetworkManager/system-connections",
    "/var/lib/sss",
];

/// In a home directory, with all below them.
const CREDENTIALS: [&str; 27] = [
    ".ssh",
    ".gnupg",
    ".aws",
    ".azure",
    ".kube",
    ".docker",
    ".config/gcloud",
    ".config/gh",
    ".config/google-chrome",
    ".config/chromium",
    ".mozilla",
    ".netrc",
    ".git-credentials",
    ".config/git/credentials",
    ".npmrc",
    ".pypirc",
    ".cargo/credentials",
    ".cargo/credentials.toml",
    ".password-store",
    ".local/share/keyrings",
    ".pgpass",
    ".my.cnf",
    ".bash_history",
    ".zsh_history",
    ".python_history",
    ".psql_history",
    ".env",
];

/// Names of private keys, wherever they are.
const KEY_NAMES: [&str; 5] = ["id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "identity"];
const KEY_ENDINGS: [&str; 7] = ["pem", "key", "p12", "pfx", "kdbx", "jks", "asc"];

/// Returns the reason for which a host path is sensitive; `reads` is true if the program reads what it hasn't made.
pub(crate) fn find(host: &Path, kind: HostKind, reads: bool) -> Option<Sensitive> {
    let host = host.canonicalize().unwrap_or_else(|_| host.to_owned());
    let homes = homes(&host);
    // As a whole, or what holds it.
    let holds = |path: &Path| kind == HostKind::Directory && path.starts_with(&host);
    let below = |path: &Path| host.starts_with(path) || holds(path);
    let any = |paths: &[&str], is: &dyn Fn(&Path) -> bool| paths.iter().any(|p| is(Path::new(p)));
    if any(&TOO_MUCH, &holds) || homes.iter().any(|home| holds(home)) {
        return Some(Sensitive::TooMuch);
    }
    if any(&SYSTEM, &below) {
        return Some(Sensitive::System);
    }
    if any(&ACCOUNTS, &below) {
        return Some(Sensitive::Accounts);
    }
    if homes
        .iter()
        .any(|home| any(&CREDENTIALS, &|path| below(&home.join(path))))
    {
        return Some(Sensitive::Credentials);
    }
    let is = |names: &[&str], part: Option<&std::ffi::OsStr>| {
        part.and_then(|part| part.to_str())
            .is_some_and(|part| names.contains(&part))
    };
    let key = is(&KEY_NAMES, host.file_name()) || is(&KEY_ENDINGS, host.extension());
    (key && kind == HostKind::File && reads).then_some(Sensitive::Key)
}

/// The home directory of who runs this, root's, and the one under `/home` that the path is in.
fn homes(host: &Path) -> Vec<PathBuf> {
    let mut homes = vec![PathBuf::from("/root")];
    homes.extend(std::env::home_dir().filter(|home| home != Path::new("/")));
    let user = host
        .strip_prefix("/home")
        .ok()
        .and_then(|below| below.components().next());
    homes.extend(user.map(|user| Path::new("/home").join(user)));
    homes
}
