//! Starting a subject in a situation.

use std::{env, os::unix::process::CommandExt, path::Path, process::Command};

use anyhow::{Context, bail};
use wasix_landlock::MODE_VARIABLE;
use wasix_landlock_foreign::Settings;
use wasix_landlock_testing::{ORDINARY_USER, ask, is_root};

use crate::{
    containers::make_root,
    situation::{Situation, Start, User},
    world::World,
    wrap,
};

/// The ABI from which on everything that a hardened policy requires is there.
const HARDENED_ABI: u32 = 6;

/// Says why a situation can't be had here.
pub fn check(situation: &Situation) -> anyhow::Result<()> {
    let needed = if situation.harden { HARDENED_ABI } else { 1 };
    if ask::landlock_abi() < needed {
        bail!("it takes Landlock ABI {needed}");
    }
    if situation.user.needs_root() && !is_root() {
        bail!("only root can make it");
    }
    let tools: &[&str] = match situation.start {
        Start::By([tool, ..]) => &[*tool],
        Start::Script(tools, _) => tools,
        Start::Container(_) => &["runc"],
        _ => &[],
    };
    for tool in tools {
        let there = |path: &Path| path.join(tool).exists();
        let path = env::var_os("PATH").unwrap_or_default();
        if !env::split_paths(&path).any(|path| there(&path)) {
            bail!("there is no `{tool}`");
        }
    }
    situation.build.check()
}

/// The command that starts a subject.
pub fn command(
    situation: &Situation,
    settings: &Settings,
    program: &Path,
    world: &World,
) -> anyhow::Result<Command> {
    let argument = serde_json::to_string(settings)?;
    let mode = if matches!(situation.start, Start::SetUserId) {
        0o4755
    } else {
        0o755
    };
    let folder = if mode == 0o755 {
        situation.build.folder()
    } else {
        "set-user-id"
    };
    let program = world.install(program, folder, mode)?;
    let mut command = match situation.start {
        Start::Direct | Start::SetUserId => Command::new(&program),
        Start::By([tool, arguments @ ..]) => {
            let mut command = Command::new(tool);
            command.args(arguments).arg(&program);
            command
        }
        Start::By([]) => bail!("nothing to start it by"),
        Start::Script(_, text) => script(text, &program, world)?,
        Start::Wrapped(wrap) => {
            let this = world.install(&env::current_exe()?, "wrap", 0o755)?;
            let mut command = Command::new(this);
            command.arg(wrap::WORD).arg(wrap.argument()?).arg(&program);
            command
        }
        Start::Container(profile) => {
            let bundle = profile.bundle(world, &program, &argument)?;
            let mut command = Command::new("runc");
            command
                .arg("--root")
                .arg(world.path("runc"))
                .args(["run", "--bundle"])
                .arg(bundle)
                .arg(settings.token.trim_end_matches('-'));
            return Ok(command);
        }
    };
    command.arg(argument);
    command.env_remove(MODE_VARIABLE);
    // LeakSanitizer would look for leaks in a process that may not open anything.
    command.env("ASAN_OPTIONS", "detect_leaks=0");
    let user = match situation.start {
        Start::SetUserId => {
            command.env(MODE_VARIABLE, "off");
            User::Ordinary
        }
        _ => situation.user,
    };
    if user == User::Ordinary && is_root() {
        command.uid(ORDINARY_USER).gid(ORDINARY_USER);
    }
    Ok(command)
}

/// A script, in mounts of its own where the root that it may change to is ready.
fn script(text: &str, program: &Path, world: &World) -> anyhow::Result<Command> {
    let (root, mounts) = make_root(world)?;
    let mut whole = String::new();
    if text.contains("$ROOT") {
        whole += "set -e\n";
        for mount in &mounts {
            let path = mount.to_str().context("a path that is no text")?;
            whole += &format!("mount --bind '{path}' \"$ROOT{path}\"\n");
        }
    }
    whole += text;
    let mut command = if text.contains("$ROOT") {
        let mut command = Command::new("unshare");
        command.args(["-m", "sh"]);
        command
    } else {
        Command::new("sh")
    };
    command
        .args(["-c", &whole, "sh"])
        .arg(program)
        .env("ROOT", root);
    Ok(command)
}
