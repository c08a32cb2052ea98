//! The paths that the runtime itself reads later are listed, and granted for reading.

use std::{path::Path, sync::Arc};

use virtual_net::{
    DynVirtualNetworking, UnsupportedVirtualNetworking, VirtualNetworking, host::LocalNetworking,
};
use wasix_landlock::{Access, Report, RuntimePathReport, RuntimePathStatus};
use wasix_landlock_testing::{ask, isolated};
use wasmer::Engine;
use wasmer_wasix::{
    PluggableRuntime, Runtime, WasiEnvBuilder,
    capabilities::Capabilities,
    http::HttpClientCapabilityV1,
    landlock::no_network,
    runtime::{
        VirtualTaskManager,
        module_cache::{FileSystemCache, ModuleCache, in_memory},
        resolver::Source,
        task_manager::tokio::TokioTaskManager,
    },
};

use crate::common::{
    DENIED,
    host::{any_offline, builder, offline, singlepass, tokio},
    tree::{Tree, assert_granted, assert_refused},
};

fn report(builder: WasiEnvBuilder) -> Arc<Report> {
    builder.build().unwrap().landlock_report().unwrap()
}

fn listed<'a>(report: &'a Report, reason: &str) -> Vec<&'a RuntimePathReport> {
    let paths = report.runtime_paths.iter();
    paths.filter(|path| path.reason == reason).collect()
}

/// A file that is there on about every Linux, and that only name resolution needs.
const HOSTS: &str = "/etc/hosts";

for_both_users! {
    fn the_files_of_name_resolution_are_granted_for_reading_with_the_default_runtime() {
        assert_eq!(ask::open_read("/etc/passwd"), Ok(()));
        let report = report(builder());
        let dns = listed(&report, "dns");
        assert!(dns.iter().any(|p| p.path == "/etc/resolv.conf"));
        for path in &dns {
            assert_eq!(path.access, Access::READ);
            match path.status {
                RuntimePathStatus::Granted => assert_eq!(ask::open_read(&path.path), Ok(())),
                RuntimePathStatus::Absent => assert!(!Path::new(&path.path).exists()),
                ref other => panic!("{}: {other:?}", path.path),
            }
            assert!(ask::open_write(&path.path).is_err());
        }
        assert_eq!(ask::open_read("/etc/passwd"), DENIED);
        assert_eq!(ask::open_read("/etc"), DENIED);
    }
}

#[test]
fn the_files_of_name_resolution_are_not_granted_without_network() {
    isolated!(|| {
        if ask::open_read(HOSTS).is_err() {
            wasix_landlock_testing::skip!("there is no {HOSTS}");
        }
        let report = report(builder().runtime(any_offline(&singlepass())));
        assert!(report.runtime_paths.is_empty(), "{report}");
        assert_eq!(ask::open_read(HOSTS), DENIED);
    });
}

/// As `wasmer` has one: it asks the user, and then takes one or the other.
#[derive(Debug)]
struct Asking {
    _yes: LocalNetworking,
    _no: UnsupportedVirtualNetworking,
}

impl VirtualNetworking for Asking {}

#[test]
fn the_files_of_name_resolution_are_granted_with_a_network_that_may_be_allowed_later() {
    isolated!(|| {
        if ask::open_read(HOSTS).is_err() {
            wasix_landlock_testing::skip!("there is no {HOSTS}");
        }
        let _tokio = tokio().enter();
        let mut runtime = offline(&singlepass());
        runtime.set_networking_implementation(Asking {
            _yes: LocalNetworking::default(),
            _no: UnsupportedVirtualNetworking::default(),
        });
        let report = report(builder().runtime(Arc::new(runtime)));
        assert!(!listed(&report, "dns").is_empty());
        assert_eq!(ask::open_read(HOSTS), Ok(()));
        assert_eq!(ask::open_read("/etc/passwd"), DENIED);
    });
}

/// A runtime of the application's own, with its own answer.
#[derive(Debug)]
struct Own {
    inner: PluggableRuntime,
    resolves: Option<bool>,
}

impl Runtime for Own {
    fn networking(&self) -> &DynVirtualNetworking {
        self.inner.networking()
    }

    fn resolves_host_names(&self) -> bool {
        let by_default = self.inner.resolves_host_names();
        self.resolves.unwrap_or(by_default)
    }

    fn task_manager(&self) -> &Arc<dyn VirtualTaskManager> {
        self.inner.task_manager()
    }

    fn source(&self) -> Arc<dyn Source + Send + Sync> {
        self.inner.source()
    }

    fn engine(&self) -> Engine {
        self.inner.engine()
    }
}

#[test]
fn a_runtime_says_whether_it_resolves_names_and_its_networks_text_says_nothing() {
    /// By its text it is the network that supports nothing, and may be anything.
    struct Named;
    impl std::fmt::Debug for Named {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("UnsupportedVirtualNetworking")
        }
    }
    impl VirtualNetworking for Named {}
    isolated!(|| {
        let shows = |network: DynVirtualNetworking, resolves| {
            let mut inner = offline(&singlepass());
            inner.networking = network;
            let runtime = Arc::new(Own { inner, resolves });
            let shown = builder().runtime(runtime).landlock_show().unwrap();
            !listed(&shown, "dns").is_empty()
        };
        assert!(shows(Arc::new(Named), None));
        assert!(!shows(Arc::new(Named), Some(false)));
        assert!(!shows(no_network(), None));
        assert!(shows(no_network(), Some(true)));
    });
}

#[test]
fn no_path_is_granted_if_the_application_says_so() {
    isolated!(|| {
        if ask::open_read(HOSTS).is_err() {
            wasix_landlock_testing::skip!("there is no {HOSTS}");
        }
        let tree = Tree::new();
        let report = report(
            builder()
                .default_runtime_paths(false)
                .landlock(|l| l.runtime_path(tree.granted(), Access::READ, "mine")),
        );
        assert_eq!(report.runtime_paths.len(), 1);
        assert_eq!(listed(&report, "mine").len(), 1);
        assert_eq!(ask::open_read(HOSTS), DENIED);
        tree.assert_only_granted(Access::READ);
    });
}

#[test]
fn the_certificates_are_not_listed_unless_the_module_may_use_http() {
    isolated!(|| {
        assert!(listed(&report(builder()), "tls roots").is_empty());
    });
}

#[test]
fn the_certificates_are_listed_for_reading_if_the_module_may_use_http() {
    isolated!(|| {
        let capabilities = Capabilities {
            http_client: HttpClientCapabilityV1::new_allow_all(),
            ..Capabilities::default()
        };
        let report = report(builder().capabilities(capabilities));
        let roots = listed(&report, "tls roots");
        assert!(roots.iter().any(|p| p.path == "/etc/ssl/certs"));
        for path in roots {
            assert_eq!(path.access, Access::READ);
            if path.status == RuntimePathStatus::Granted {
                assert_eq!(ask::open_read(&path.path), Ok(()));
            }
        }
    });
}

fn cached(cache: impl ModuleCache + Send + Sync + 'static) -> WasiEnvBuilder {
    let mut runtime = offline(&singlepass());
    runtime.set_module_cache(cache);
    builder().runtime(Arc::new(runtime))
}

fn on_disk(directory: impl AsRef<Path>) -> FileSystemCache {
    let tasks = Arc::new(TokioTaskManager::new(tokio()));
    FileSystemCache::new(directory.as_ref(), tasks)
}

#[test]
fn the_module_cache_is_granted_for_reading() {
    isolated!(|| {
        let tree = Tree::new();
        let report = report(cached(on_disk(tree.granted())));
        let cache = listed(&report, "module cache");
        assert_eq!(cache.len(), 1);
        assert_eq!(cache[0].path, tree.granted().to_str().unwrap());
        assert_eq!(cache[0].access, Access::READ);
        tree.assert_only_granted(Access::READ);
    });
}

#[test]
fn a_module_cache_behind_another_is_granted_for_reading() {
    isolated!(|| {
        let tree = Tree::new();
        let behind = in_memory().with_fallback(on_disk(tree.granted()));
        let report = report(cached(behind.with_fallback(on_disk(tree.also()))));
        assert_eq!(listed(&report, "module cache").len(), 2);
        assert_granted(&tree.granted(), Access::READ);
        assert_granted(&tree.also(), Access::READ);
        assert_refused(&tree.outside());
    });
}

#[test]
fn a_module_that_was_cached_before_is_loaded_under_enforcement() {
    isolated!(|| {
        let tree = Tree::new();
        let engine = singlepass();
        let module = wasmer::Module::new(&engine, "(module)").unwrap();
        let hash = wasmer_types::ModuleHash::new(b"(module)");
        let cache = on_disk(tree.granted());
        tokio()
            .block_on(cache.save(hash, &engine, &module))
            .unwrap();
        let env = cached(on_disk(tree.granted())).build().unwrap();
        assert!(tokio().block_on(cache.load(hash, &engine)).is_ok());
        // What is new isn't kept, which costs time and nothing else.
        let other = wasmer_types::ModuleHash::new(b"other");
        assert!(
            tokio()
                .block_on(cache.save(other, &engine, &module))
                .is_err()
        );
        assert!(env.landlock_report().unwrap().enforced);
        assert_refused(&tree.outside());
    });
}

#[test]
fn a_module_cache_that_is_not_there_is_listed_as_absent() {
    isolated!(|| {
        let tree = Tree::new();
        let report = report(cached(on_disk(tree.path("nowhere"))));
        let cache = listed(&report, "module cache");
        assert_eq!(cache[0].status, RuntimePathStatus::Absent);
        assert_refused(&tree.granted());
    });
}
