//! The builder's older name.

use crate::WasiEnvBuilder;

/// The entry point of older programs: [`WasiState::new`].
#[derive(Debug)]
#[non_exhaustive]
pub struct WasiState;

impl WasiState {
    /// A builder for an environment, as [`WasiEnv::builder`](crate::WasiEnv::builder) makes one, with a
    /// default engine, so that it can be built as it is.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use wasmer_wasix::landlock::WasiState;
    ///
    /// let env = WasiState::new("hello").args(&["world"]).build()?;
    /// # Ok(())
    /// # }
    /// ```
    #[allow(clippy::new_ret_no_self)]
    pub fn new(program_name: impl Into<String>) -> WasiEnvBuilder {
        WasiEnvBuilder::new(program_name).engine(wasmer::Engine::default())
    }
}
