//! The steps that PostgreSQL takes, and their outcomes.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use crate::guest::Request;
use crate::kills::{self, file_system};
use crate::places::Places;
use crate::session::{Ended, run_program, run_session, run_worker};

/// The outcome of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The step holds.
    Works(String),
    /// The step goes as far as is said here, for the reason that is said here.
    Named(String),
    /// The step wasn't tried.
    Skipped(String),
}

/// One row of the table.
#[derive(Debug)]
pub struct Step {
    /// The question of the step.
    pub name: &'static str,
    /// The way to find out.
    pub run: fn(&Places) -> anyhow::Result<Outcome>,
    /// The same run on Wasmer as published, or why there is none.
    pub published: Result<Plain, &'static str>,
}

/// A run of one program that needs nothing of the fork's.
#[derive(Debug, Clone, Copy)]
pub struct Plain {
    /// The program's name.
    pub program: &'static str,
    /// The arguments, with `PORT` for a port that is free. Without any, they are those of a session.
    pub arguments: &'static str,
    /// The program's input.
    pub input: &'static str,
    /// True for a data directory as `initdb` makes it.
    pub made: bool,
    /// True for a data directory on tmpfs.
    pub on_tmpfs: bool,
}

impl Plain {
    const SESSION: Self = Self {
        program: "postgres",
        arguments: "",
        input: FIRST,
        made: true,
        on_tmpfs: false,
    };
}

/// The reason of a step that isn't for Wasmer as published.
const ONLY_FORK: &str = "has no such scope";

/// The restriction around a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// A process of its own, by `build()`.
    Process,
    /// The same, with every protection of `harden`.
    Hardened,
    /// A worker, which is hardened.
    Worker,
}

/// All of them.
pub const STEPS: [Step; 10] = [
    Step {
        name: "session on a disk: tables, CHECKPOINT, restart",
        run: |places| session(places, Scope::Process, disk(places)?),
        published: Ok(Plain::SESSION),
    },
    Step {
        name: "session on tmpfs",
        run: |places| session(places, Scope::Process, memory()?),
        published: Ok(Plain {
            on_tmpfs: true,
            ..Plain::SESSION
        }),
    },
    Step {
        name: "session with `harden`, on a disk",
        run: |places| session(places, Scope::Hardened, disk(places)?),
        published: Err(ONLY_FORK),
    },
    Step {
        name: "session in worker scope, on a disk",
        run: |places| session(places, Scope::Worker, disk(places)?),
        published: Err(ONLY_FORK),
    },
    Step {
        name: "PL/pgSQL, a library loaded by `dlopen`",
        run: library,
        published: Ok(Plain {
            input: FUNCTION,
            ..Plain::SESSION
        }),
    },
    Step {
        name: "killed with SIGKILL at random while committing, on a disk",
        run: killed,
        published: Err("not tried: no session gets that far"),
    },
    Step {
        name: "`initdb` into an empty preopen: spawns `postgres` again and again, with pipes",
        run: initdb,
        published: Ok(Plain {
            program: "initdb",
            arguments: INITDB,
            input: "",
            made: false,
            ..Plain::SESSION
        }),
    },
    Step {
        name: "`pg_dump`",
        run: pg_dump,
        published: Ok(Plain {
            program: "pg_dump",
            arguments: PG_DUMP,
            input: "",
            ..Plain::SESSION
        }),
    },
    Step {
        name: "server on a unix socket",
        run: unix_socket,
        published: Ok(Plain {
            arguments: UNIX_SOCKET,
            input: "",
            ..Plain::SESSION
        }),
    },
    Step {
        name: "server on a TCP port",
        run: tcp_port,
        published: Ok(Plain {
            arguments: TCP_PORT,
            input: "",
            ..Plain::SESSION
        }),
    },
];

/// A directory that is removed at the end, on the file system that is asked for, or why there is none.
pub type Room = Result<tempfile::TempDir, String>;

/// Makes a directory on a disk.
pub fn disk(places: &Places) -> anyhow::Result<Room> {
    let cache = places.assets.files.compiled.parent().context("no cache")?;
    let room = tempfile::tempdir_in(cache)?;
    let name = file_system(room.path())?;
    Ok(match name.as_str() {
        "tmpfs" | "ramfs" => Err(format!(
            "{} is on {name}: name a disk by XDG_CACHE_HOME",
            cache.display()
        )),
        _ => Ok(room),
    })
}

/// Makes a directory on tmpfs.
pub fn memory() -> anyhow::Result<Room> {
    let shared = Path::new("/dev/shm");
    Ok(match file_system(shared)?.as_str() {
        "tmpfs" => Ok(tempfile::tempdir_in(shared)?),
        name => Err(format!("/dev/shm is {name:?}, not tmpfs")),
    })
}

const FIRST: &str = "\
create table t(n int primary key, s text);
insert into t select g, repeat('x', g % 100) from generate_series(1, 1000) g;
checkpoint;
update t set s = 'new' where n % 10 = 0;
create index on t(s);
vacuum t;
alter table t add column added int default 7;
checkpoint;
insert into t values (1001, 'after', 8);
begin;
delete from t;
rollback;
";

const FUNCTION: &str = "\
create function f(n int) returns int language plpgsql as $$ begin return n * 2; end $$;
select f(21);
";

const INITDB: &str = "-D /data -U postgres --auth=trust --encoding=UTF8 --locale=C.UTF-8";
const PG_DUMP: &str = "-h /data -U postgres postgres";
const UNIX_SOCKET: &str = "-D /data -c listen_addresses= -c unix_socket_directories=/data";
const TCP_PORT: &str =
    "-D /data -c listen_addresses=127.0.0.1 -c port=PORT -c unix_socket_directories=";

const SECOND: &str = "select count(*), sum(n), sum(added) from t;\nselect count(*) as fresh from t where s = 'new';\n";

fn session(places: &Places, scope: Scope, room: Room) -> anyhow::Result<Outcome> {
    let room = match room {
        Ok(room) => room,
        Err(why) => return Ok(Outcome::Skipped(why)),
    };
    let data = room.path().join("data");
    places.assets.make_data_directory(&data)?;
    let run = |data: &Path, statements| match scope {
        Scope::Worker => run_worker(places, data, statements),
        Scope::Process | Scope::Hardened => run_session(data, scope == Scope::Hardened, statements),
    };
    run(&data, FIRST)?.has_printed(&[])?;
    for _ in 0..2 {
        run(&data, SECOND)?.has_printed(&[
            "count = \"1001\"",
            "sum = \"501501\"",
            "sum = \"7008\"",
            "fresh = \"100\"",
        ])?;
    }
    Ok(Outcome::Works(
        "the rows are there after each of two restarts".to_owned(),
    ))
}

fn library(places: &Places) -> anyhow::Result<Outcome> {
    let room = match disk(places)? {
        Ok(room) => room,
        Err(why) => return Ok(Outcome::Skipped(why)),
    };
    let data = room.path().join("data");
    places.assets.make_data_directory(&data)?;
    run_session(&data, false, FUNCTION)?.has_printed(&["f = \"42\""])?;
    Ok(Outcome::Works(
        "a function in PL/pgSQL gives its result".to_owned(),
    ))
}

fn killed(places: &Places) -> anyhow::Result<Outcome> {
    let room = match disk(places)? {
        Ok(room) => room,
        Err(why) => return Ok(Outcome::Skipped(why)),
    };
    let done = kills::run(&places.assets, room.path(), places.kills)?;
    ensure!(done.reported > 0, "no row was reported");
    println!("{} rows reported, {} found", done.reported, done.found);
    Ok(Outcome::Works(format!(
        "{} times: no reported row is lost, and each restart recovers",
        places.kills
    )))
}

/// Runs a program on an own data directory, which is empty unless `made`.
fn program(
    places: &Places,
    made: bool,
    name: &str,
    arguments: &str,
    port: Option<u16>,
) -> anyhow::Result<(Ended, PathBuf, tempfile::TempDir)> {
    let room = tempfile::tempdir_in(places.assets.files.compiled.parent().context("no cache")?)?;
    let data = room.path().join("data");
    if made {
        places.assets.make_data_directory(&data)?;
    } else {
        fs::create_dir(&data)?;
    }
    let request = Request {
        program: name.to_owned(),
        arguments: arguments.split_whitespace().map(str::to_owned).collect(),
        data: data.clone(),
        harden: false,
        port,
    };
    Ok((run_program(&request, "")?, data, room))
}

/// Fails unless the program has ended with each of these in what it printed.
fn says(ended: &Ended, lines: &[&str]) -> anyhow::Result<()> {
    let text = format!("{}{}", ended.output, ended.errors);
    for line in lines {
        ensure!(
            text.contains(line),
            "exit code {}, no {line:?} in {text}",
            ended.code
        );
    }
    Ok(())
}

fn initdb(places: &Places) -> anyhow::Result<Outcome> {
    let (ended, data, _room) = program(places, false, "initdb", INITDB, None)?;
    says(
        &ended,
        &[
            "running bootstrap script ... ok",
            "could not execute command \"locale -a\": No such file or directory",
            "removing contents of data directory",
        ],
    )?;
    let left = fs::read_dir(&data)?.count();
    ensure!(
        ended.code == 1 && left == 0,
        "exit code {}, {left} files left",
        ended.code
    );
    Ok(Outcome::Named(
        "the bootstrap is made; then `postgres` runs `locale -a`, and its own `popen` answers ENOENT without a call to the \
         runtime; what was made is removed"
            .to_owned(),
    ))
}

fn pg_dump(places: &Places) -> anyhow::Result<Outcome> {
    let (ended, _, _room) = program(places, true, "pg_dump", "--version", None)?;
    ended.has_printed(&["pg_dump (PostgreSQL) 17.5"])?;
    let (ended, _, _room) = program(places, true, "pg_dump", PG_DUMP, None)?;
    says(
        &ended,
        &["connection to server on socket \"/data/.s.PGSQL.5432\" failed"],
    )?;
    Ok(Outcome::Named(
        "starts, and ends at the connection: it needs a server, which doesn't run (see below)"
            .to_owned(),
    ))
}

fn unix_socket(places: &Places) -> anyhow::Result<Outcome> {
    let (ended, _, _room) = program(places, true, "postgres", UNIX_SOCKET, None)?;
    says(
        &ended,
        &[
            "could not bind Unix address",
            "could not create any Unix-domain sockets",
        ],
    )?;
    Ok(Outcome::Named(
        "a unix socket opens, and can't be bound: WASIX has no such addresses, and the program's C library makes no call"
            .to_owned(),
    ))
}

/// Returns a port that is free now.
pub fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

fn tcp_port(places: &Places) -> anyhow::Result<Outcome> {
    let port = free_port()?;
    let arguments = TCP_PORT.replace("PORT", &port.to_string());
    let (ended, _, _room) = program(places, true, "postgres", &arguments, None)?;
    says(&ended, &["could not bind IPv4 address \"127.0.0.1\""])?;
    let (ended, _, _room) = program(places, true, "postgres", &arguments, Some(port))?;
    says(
        &ended,
        &[
            &format!("listening on IPv4 address \"127.0.0.1\", port {port}"),
            "could not fork \"checkpointer\" process: Function not implemented",
        ],
    )?;
    Ok(Outcome::Named(
        "refused without a granted port; with one it listens, and ends: the program was built with a `fork` that is \
         ENOSYS without a call to the runtime"
            .to_owned(),
    ))
}
