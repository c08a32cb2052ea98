//! Settings of a container: its annotations, and the profile that they name.

use std::{
    fs::File,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Mutex,
};

use anyhow::{Context as _, bail, ensure};
use oci_spec::runtime::Spec;
use wasix_landlock_profile::{Compiler, Network, Profile, Stream, UnsavedWrites};

use crate::artifact::Module;

/// The prefix of the annotations that the shim reads. An unknown annotation with this prefix is an error.
const PREFIX: &str = "wasix-landlock/";

/// The directory of the profiles on the node, one file for each name.
const PROFILES: &str = "/etc/wasix-landlock/profiles";

/// The file in the bundle that gets the report.
const REPORT: &str = "landlock-report.json";

/// Settings of a container, read outside of it.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Everything that the module gets besides the container's mounts, arguments and variables.
    pub(crate) profile: Profile,
    /// The compiler of the module.
    pub(crate) compiler: Compiler,
    /// True unless the container is not to be hardened.
    pub(crate) harden: bool,
    /// True if the container's root file system is granted for reading.
    pub(crate) root: bool,
    /// The file for the report, in the container's bundle. The container takes it.
    pub(crate) report: Mutex<Option<File>>,
    /// The module, if it is no file of the container.
    pub(crate) module: Module,
}

impl Settings {
    /// Reads the annotations of a container, and opens the file for its report.
    ///
    /// # Errors
    /// An annotation, or a profile, that can't be used as it is.
    pub(crate) fn read(spec: &Spec, bundle: &Path, module: Module) -> anyhow::Result<Self> {
        let report = bundle.join(REPORT);
        let report = File::create(&report)
            .with_context(|| format!("can't make {} for the report", report.display()))?;
        let mut settings = Self {
            profile: without_profile(),
            compiler: Compiler::default(),
            harden: true,
            root: false,
            report: Mutex::new(Some(report)),
            module,
        };
        let annotations = spec.annotations().iter().flatten();
        let mut named: Vec<_> = annotations
            .filter_map(|(key, value)| Some((key.strip_prefix(PREFIX)?, value.as_str())))
            .collect();
        // The profile first, which the others change.
        named.sort_by_key(|(name, _)| (*name != "profile", *name));
        for (name, value) in named {
            settings
                .set(name, value)
                .with_context(|| format!("the annotation {PREFIX}{name} can't be used"))?;
        }
        Ok(settings)
    }

    fn set(&mut self, name: &str, value: &str) -> anyhow::Result<()> {
        match name {
            "profile" => self.profile = load(Path::new(PROFILES), value)?,
            "compiler" => self.compiler = value.parse()?,
            "harden" => self.harden = one_of(value, "true", "false")?,
            "root" => self.root = one_of(value, "read", "none")?,
            "bind" => self.add_ports(value, Network::bind)?,
            "connect" => self.add_ports(value, Network::connect)?,
            _ => bail!("there is no such annotation; remove it or correct its name"),
        }
        Ok(())
    }

    fn add_ports(&mut self, value: &str, add: fn(Network, u16) -> Network) -> anyhow::Result<()> {
        for port in value.split(',') {
            let port = u16::from_str(port.trim())
                .with_context(|| format!("{port} is no port; write numbers with commas between"))?;
            let network = std::mem::take(&mut self.profile.network);
            self.profile.network = add(network, port);
        }
        Ok(())
    }
}

/// The profile of a container whose annotations name none: every group of WASI's functions, no port and no limit.
fn without_profile() -> Profile {
    Profile::as_without().unsaved_writes(UnsavedWrites::Refuse)
}

/// Loads a profile of the node. The container's streams are its own, whatever the profile says of streams.
fn load(directory: &Path, name: &str) -> anyhow::Result<Profile> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    ensure!(
        !name.is_empty() && name.bytes().all(plain),
        "`{name}` is no name of a profile: use letters, digits, `-` and `_`"
    );
    let file: PathBuf = directory.join(name).with_extension("toml");
    let profile = Profile::load(file)?;
    Ok(profile
        .stdin(Stream::Inherit)
        .stdout(Stream::Inherit)
        .stderr(Stream::Inherit))
}

fn one_of(value: &str, yes: &str, no: &str) -> anyhow::Result<bool> {
    match value {
        _ if value == yes => Ok(true),
        _ if value == no => Ok(false),
        _ => bail!("`{value}` is neither `{yes}` nor `{no}`"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use oci_spec::runtime::{Spec, SpecBuilder};
    use wasix_landlock_profile::{Compiler, Network};

    use super::{Module, PREFIX, Settings, load};

    fn read(annotations: &[(&str, &str)]) -> anyhow::Result<Settings> {
        let named = annotations.iter();
        let annotations: HashMap<String, String> = named
            .map(|(name, value)| (format!("{PREFIX}{name}"), (*value).to_owned()))
            .chain([("another/one".to_owned(), "anything".to_owned())])
            .collect();
        let spec: Spec = SpecBuilder::default().annotations(annotations).build()?;
        Settings::read(&spec, tempfile::tempdir()?.path(), Module::File)
    }

    #[test]
    fn annotations_change_the_settings() {
        let none = read(&[]).expect("settings");
        assert!(none.harden && !none.root);
        assert_eq!(none.profile.network, Network::none());
        let set = read(&[
            ("compiler", "singlepass"),
            ("harden", "false"),
            ("root", "read"),
            ("bind", "80, 443"),
            ("connect", "5432"),
        ])
        .expect("settings");
        assert!(!set.harden && set.root);
        assert_eq!(set.compiler, Compiler::Singlepass);
        assert_eq!(
            set.profile.network,
            Network::none().bind(80).bind(443).connect(5432)
        );
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        for (name, value) in [
            ("hardened", "true"),
            ("harden", "no"),
            ("root", "write"),
            ("compiler", "llvm"),
            ("bind", "http"),
            ("connect", "70000"),
            ("profile", "../../etc/passwd"),
            ("profile", "no-such-profile"),
        ] {
            let error = read(&[(name, value)]).expect_err(name);
            assert!(
                format!("{error:#}").contains(&format!("{PREFIX}{name}")),
                "{error:#}"
            );
        }
    }

    #[test]
    fn a_profile_is_a_file_of_its_name() {
        let profiles = tempfile::tempdir().expect("a directory");
        std::fs::write(profiles.path().join("small.toml"), "limits.threads = 0").expect("a file");
        let profile = load(profiles.path(), "small").expect("a profile");
        assert_eq!(profile.limits.threads, Some(0));
    }
}
