//! The work of a container's first process, once `libcontainer` has made the container around it.

use std::{collections::HashMap, sync::Arc};

use libcontainer::workload::{
    Executor as Workload, ExecutorError, ExecutorSetEnvsError, ExecutorValidationError,
    default::DefaultExecutor,
};
use oci_spec::runtime::Spec;

use crate::{module, program, settings::Settings};

/// The annotation of a pod's own container, which holds the pod's namespaces and runs a native program of Kubernetes.
const CONTAINER_TYPE: &str = "io.kubernetes.cri.container-type";

/// Runs a module, or the native program of a pod's own container.
#[derive(Clone)]
pub(crate) struct Executor(Arc<Settings>);

impl Executor {
    pub(crate) fn new(settings: Settings) -> Self {
        Self(Arc::new(settings))
    }
}

impl Workload for Executor {
    fn validate(&self, spec: &Spec) -> Result<(), ExecutorValidationError> {
        if is_pod(spec) {
            return DefaultExecutor {}.validate(spec);
        }
        let checked = program::check(spec, &self.0.module);
        checked.map_err(|error| ExecutorValidationError::ArgValidationError(format!("{error:#}")))
    }

    /// Leaves the variables of this process as they are: those of the container are the module's, and must not reach
    /// the runtime, which reads its mode of enforcement from them.
    fn setup_envs(&self, _: HashMap<String, String>) -> Result<(), ExecutorSetEnvsError> {
        Ok(())
    }

    fn exec(&self, spec: &Spec) -> Result<(), ExecutorError> {
        if is_pod(spec) {
            return DefaultExecutor {}.exec(spec);
        }
        std::process::exit(module::run(spec, &self.0))
    }
}

fn is_pod(spec: &Spec) -> bool {
    let annotations = spec.annotations().as_ref();
    let kind = annotations.and_then(|annotations| annotations.get(CONTAINER_TYPE));
    kind.is_some_and(|kind| kind == "sandbox")
}
