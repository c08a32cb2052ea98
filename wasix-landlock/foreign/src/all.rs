//! All situations.

mod programs;
mod surroundings;

use crate::{
    builds::Build,
    situation::{
        Situation,
        User::{Ordinary, Root},
    },
};

pub fn all() -> Vec<Situation> {
    [
        plain(),
        surroundings::namespaces(),
        surroundings::mounts(),
        surroundings::filters(),
        programs::programs(),
        programs::threads(),
        programs::rings(),
        builds(),
    ]
    .concat()
}

fn plain() -> Vec<Situation> {
    vec![
        Situation::new("plain, started by posix_spawn", Root),
        Situation::new("plain", Ordinary),
        Situation::new("200 threads", Root).threads(199),
        Situation::new("200 threads", Ordinary).threads(199),
        Situation::new("`/` granted, 16 threads, 60 times", Root)
            .everything()
            .threads(15)
            .times(60),
        Situation::new("`/` granted, 16 threads, 60 times", Ordinary)
            .everything()
            .threads(15)
            .times(60),
    ]
}

fn builds() -> Vec<Situation> {
    let row = |name, build| Situation::new(name, Root).build(build);
    vec![
        row("a static build with musl", Build::Musl),
        row("a static build with glibc", Build::StaticGlibc),
        row("a build with AddressSanitizer", Build::AddressSanitizer),
    ]
}
