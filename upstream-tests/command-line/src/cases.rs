//! The request to both programs.

/// A command line or several, one after the other in the same directory with the same cache.
#[derive(Debug)]
pub struct Case {
    pub name: &'static str,
    /// The arguments after `wasmer`, by line. `{port}` is one of 127.0.0.1 that the caller listens on.
    pub lines: &'static [&'static str],
    pub kernel: Kernel,
    pub check: Check,
    /// A policy from outside, if one is set.
    pub outside: Option<Outside>,
}

/// A policy from outside (`WASIX_LANDLOCK_POLICY`), which the published program doesn't know.
#[derive(Debug)]
pub struct Outside {
    /// The policy, on one line. `{work}` is the directory of the case.
    pub policy: &'static str,
    /// The attempts of the module that succeed as published, and are refused with the forks.
    pub refused: &'static [&'static str],
    /// The exit code with the forks, if another one.
    pub exit: Option<i32>,
}

/// The kernel's answer when the last line's process opens what nobody granted, while it prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kernel {
    /// Upstream opens it, the fork is refused.
    Restricts,
    /// Both open it, for this reason.
    IsNotAsked(&'static str),
    /// Neither prints anything, since neither gets so far.
    NeverSeesIt,
}

/// A check in addition to those of every case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    Nothing,
    /// A file that nobody granted is changed by upstream and not by the fork. What is left differs.
    Escape,
    /// The output has no order.
    AnyOrder,
    /// A compiled module is in the cache after the first line, and the last line leaves it alone.
    CacheIsUsed,
    /// Nothing is in the cache.
    CacheIsEmpty,
    /// Somebody has connected.
    Connected,
    /// Nobody has.
    NotConnected,
}

const fn case(name: &'static str, lines: &'static [&'static str]) -> Case {
    Case {
        name,
        lines,
        kernel: Kernel::Restricts,
        check: Check::Nothing,
        outside: None,
    }
}

const RUN: &str =
    "run --volume data:/data genrsa.wasm -- probe read /data/file -- read /etc/hostname";

/// All of them.
pub const CASES: &[Case] = &[
    case(
        "nothing mapped",
        &["run genrsa.wasm -- probe read /data/file -- list /etc -- read file"],
    ),
    case(
        "`--volume`: all that a module does with files",
        &[
            "run --volume data:/data genrsa.wasm -- probe read /data/file -- write /data/file -- create /data/new \
             -- list /data -- rename /data/new /data/newer -- remove /data/newer -- truncate /data/file -- read \
             /other/file -- read ../other/file",
        ],
    ),
    case(
        "`--volume`: two",
        &[
            "run --volume data:/data --volume other:/deep/er genrsa.wasm -- probe read /data/file -- read \
             /deep/er/file -- create /deep/er/new -- rename /data/file /deep/er/moved",
        ],
    ),
    case(
        "`--volume`: one in the other",
        &[
            "run --volume data:/data --volume other:/data/other genrsa.wasm -- probe read /data/file -- read \
             /data/other/file -- create /data/other/new",
        ],
    ),
    case(
        "`--volume`: at the root",
        &["run --volume data:/ genrsa.wasm -- probe read /file -- create /new -- read file"],
    ),
    case(
        "`--volume`: a link in it that leads out",
        &[
            "run --volume links:/data genrsa.wasm -- probe read /data/in/file -- read /data/out/file",
        ],
    ),
    Case {
        check: Check::Escape,
        ..case(
            "`--volume`: a hole of the WASI layer (E1 in the [table of attacks](../attacks/RESULTS.md))",
            &[
                "run --volume links:/data genrsa.wasm -- probe rename /data/file /data/in/link -- read /data/in/file",
            ],
        )
    },
    case(
        "`--volume`: a key is written",
        &[
            "run --volume data:/data genrsa.wasm -- genrsa -out /data/key.pem 512 -- read /data/key.pem",
        ],
    ),
    Case {
        kernel: Kernel::NeverSeesIt,
        ..case(
            "`--volume`: of what is not there",
            &["run --volume missing:/data genrsa.wasm -- probe list /data"],
        )
    },
    case(
        "`--volume`: a directory by a link to it",
        &[
            "run --volume links/out:/data genrsa.wasm -- probe read /data/file -- create /data/new -- list /data",
        ],
    ),
    Case {
        kernel: Kernel::NeverSeesIt,
        ..case(
            "`--volume`: a single file",
            &["run --volume file:/single genrsa.wasm -- probe read /single -- write /single"],
        )
    },
    case(
        "`--volume`: twice the same place",
        &[
            "run --volume data:/data --volume other:/data genrsa.wasm -- probe read /data/file -- list /data",
        ],
    ),
    case(
        "`--volume`: two that are one directory",
        &[
            "run --volume data:/a --volume data:/b genrsa.wasm -- probe create /a/new -- rename /a/new /b/newer",
        ],
    ),
    case(
        "`--mapdir`",
        &[
            "run --mapdir /data:data genrsa.wasm -- probe read /data/file -- create /data/new -- read /other/file",
        ],
    ),
    case(
        "`--dir`: a directory",
        &[
            "run --dir data genrsa.wasm -- probe read data/file -- create data/new -- read other/file",
        ],
    ),
    case("`--dir .`: WASIX", &["run --dir . read.wat"]),
    case("`--volume .`: WASIX", &["run --volume . read.wat"]),
    // There is no such directory: upstream maps it for WASIX only.
    Case {
        kernel: Kernel::NeverSeesIt,
        ..case(
            "`--dir .`: plain WASI",
            &["run --dir . genrsa.wasm -- probe read file"],
        )
    },
    case(
        "`--cwd`",
        &["run --volume data:/data --cwd /data genrsa.wasm -- probe read /data/file -- read file"],
    ),
    case(
        "devices and streams",
        &[
            "run genrsa.wasm -- probe read /dev/urandom -- read /dev/zero -- write /dev/null -- read /dev/stdin -- list /dev",
        ],
    ),
    case("a thread of the module", &["run thread.wat"]),
    Case {
        check: Check::AnyOrder,
        ..case("`--env`", &["run --env A=b --env C=d=e environment.wat"])
    },
    Case {
        check: Check::AnyOrder,
        ..case(
            "`--env-file`",
            &["run --env-file variables --env A=c environment.wat"],
        )
    },
    Case {
        check: Check::AnyOrder,
        ..case(
            "`--forward-host-env`",
            &["run --forward-host-env environment.wat"],
        )
    },
    Case {
        check: Check::NotConnected,
        ..case("the network, without `--net`", &["run connect.wat"])
    },
    Case {
        check: Check::Connected,
        ..case("`--net`", &["run --net connect.wat"])
    },
    Case {
        check: Check::Connected,
        ..case(
            "`--net`: with a rule that allows it",
            &["run --net=ipv4:allow=127.0.0.1:{port}/out connect.wat"],
        )
    },
    Case {
        check: Check::NotConnected,
        ..case(
            "`--net`: with a rule that does not",
            &["run --net=ipv4:allow=127.0.0.2:{port}/out connect.wat"],
        )
    },
    case("`--net`: a name is resolved", &["run --net resolve.wat"]),
    case("a module in text form", &["run trap.wat"]),
    Case {
        kernel: Kernel::NeverSeesIt,
        ..case("an exit code", &["run genrsa.wasm -- nonsense"])
    },
    case(
        "`--singlepass`",
        &["run --singlepass --volume data:/data genrsa.wasm -- probe read /data/file"],
    ),
    case(
        "`--cranelift`",
        &["run --cranelift --volume data:/data genrsa.wasm -- probe read /data/file"],
    ),
    case("the module cache, cold", &[RUN]),
    Case {
        check: Check::CacheIsUsed,
        ..case("the module cache, warm", &[RUN, RUN])
    },
    Case {
        check: Check::CacheIsEmpty,
        ..case(
            "`--disable-cache`",
            &["run --disable-cache --volume data:/data genrsa.wasm -- probe read /data/file"],
        )
    },
    case(
        "a compiled artifact",
        &[
            "compile genrsa.wasm -o genrsa.wasmu",
            "run --volume data:/data genrsa.wasmu -- probe read /data/file -- read /etc/hostname",
        ],
    ),
    case(
        "a package directory",
        &[
            "run --offline package -- probe read /data/file -- list /data -- create /data/new -- read /etc/hostname",
        ],
    ),
    case(
        "a package directory, with `--volume`",
        &[
            "run --offline --volume other:/other package -- probe read /data/file -- read /other/file -- create \
             /other/new",
        ],
    ),
    Case {
        check: Check::CacheIsUsed,
        ..case(
            "a package directory, cache warm",
            &[
                "run --offline package -- probe read /data/file",
                "run --offline package -- probe read /data/file",
            ],
        )
    },
    case(
        "a package file",
        &[
            "package build --out built.webc package",
            "run --offline built.webc -- probe read /data/file -- create /data/new -- read /etc/hostname",
        ],
    ),
    case(
        "`--use` of a package file",
        &[
            "package build --out built.webc package",
            "run --offline --use ./built.webc genrsa.wasm -- probe read /data/file \
             -- list /bin -- read /etc/hostname",
        ],
    ),
    case(
        "a command of a package becomes another one",
        &["run --offline --entrypoint first package"],
    ),
    Case {
        kernel: Kernel::IsNotAsked(
            "without WASI there is no environment to build, and nothing to reach",
        ),
        ..case(
            "a module without WASI",
            &["run --invoke add plain.wat -- 1 2"],
        )
    },
    Case {
        outside: Some(Outside {
            policy: r#"preopen = [{ host = "{work}/data", kind = "directory", read = true }]"#,
            refused: &[
                "write /data/file",
                "create /data/new",
                "truncate /data/file",
            ],
            exit: None,
        }),
        ..case(
            "a policy from outside: `--volume` is read-only",
            &[
                "run --volume data:/data genrsa.wasm -- probe read /data/file -- list /data -- write /data/file \
                 -- create /data/new -- truncate /data/file",
            ],
        )
    },
    Case {
        outside: Some(Outside {
            policy: r#"preopen = [{ host = "{work}/data", kind = "directory", read = true }]"#,
            refused: &["read /other/file"],
            exit: None,
        }),
        ..case(
            "a policy from outside: one `--volume` is gone",
            &[
                "run --volume data:/data --volume other:/other genrsa.wasm -- probe read /data/file -- read /other/file",
            ],
        )
    },
    Case {
        outside: Some(Outside {
            policy: "limits.disk-bytes = 100",
            refused: &[],
            exit: Some(117),
        }),
        kernel: Kernel::NeverSeesIt,
        ..case(
            "a policy from outside: a quota for files in memory",
            &["run genrsa.wasm -- genrsa -out /key.pem 512"],
        )
    },
];
