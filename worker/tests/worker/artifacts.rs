//! A start without compiling.

use std::fs;

use wasix_landlock_testing::isolated;
use wasix_landlock_worker::{Access, End, Request, WorkerStreams};

use crate::{
    common::{COMPILERS, PATIENCE, Programs, Tenants, finish},
    guests,
};

#[test]
fn what_a_worker_compiled_another_one_runs() {
    isolated!(|| {
        let programs = Programs::copy();
        let tenants = Tenants::new(1);
        let start = |request: &Request| {
            programs
                .launcher()
                .spawn(request, WorkerStreams::piped())
                .unwrap()
        };
        for compiler in COMPILERS {
            let granted = |request: Request| {
                request
                    .compiler(compiler)
                    .profile(tenants.shown(0, Access::READ))
            };
            let module = Request::module(guests::prints_file());
            let (first, printed) = finish(start(&granted(module.give_artifact())));
            assert_eq!((first.end, printed.as_str()), (End::Exited(0), "tenant 0"));
            let artifact = first.artifact.unwrap();

            let file = tenants.directory(0).join("artifact");
            fs::write(&file, &artifact).unwrap();
            for request in [Request::artifact(artifact), Request::artifact_file(file)] {
                let (second, printed) = finish(start(&granted(request)));
                assert_eq!((second.end, printed.as_str()), (End::Exited(0), "tenant 0"));
                assert!(second.report.unwrap().enforced);
                assert!(second.artifact.is_none());
            }
        }
    });
}

#[test]
fn what_is_no_artifact_is_a_failure() {
    isolated!(|| {
        let programs = Programs::copy();
        for bytes in [Vec::new(), b"nonsense".to_vec(), guests::does("")] {
            let mut worker = programs
                .launcher()
                .spawn(&Request::artifact(bytes), WorkerStreams::none())
                .unwrap();
            let end = worker.wait(PATIENCE).unwrap().end;
            assert!(matches!(end, End::Failed(_)), "{end:?}");
        }
    });
}

#[test]
fn a_module_in_a_file_is_read_before_the_restriction() {
    isolated!(|| {
        let programs = Programs::copy();
        let tenants = Tenants::new(1);
        let file = tenants.directory(0).join("module.wasm");
        fs::write(&file, guests::counts()).unwrap();
        let mut worker = programs
            .launcher()
            .spawn(&Request::module_file(&file), WorkerStreams::none())
            .unwrap();
        assert_eq!(worker.wait(PATIENCE).unwrap().end, End::Exited(10));
    });
}
