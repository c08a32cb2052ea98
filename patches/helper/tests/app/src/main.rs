//! Runs a module that does nothing, and then tries to read a host file that was never granted.

use wasmer::{Module, Store};
use wasmer_wasix::WasiEnv;

const MODULE: &str = r#"(module (memory (export "memory") 1) (func (export "_start")))"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let _guard = runtime.enter();

    let mut store = Store::default();
    let module = Module::new(&store, MODULE)?;
    let builder = WasiEnv::builder("nothing").engine(store.engine().clone());
    let (instance, env) = builder.instantiate(module, &mut store)?;
    instance
        .exports
        .get_function("_start")?
        .call(&mut store, &[])?;
    env.on_exit(&mut store, None);

    match std::fs::read("/etc/passwd") {
        Ok(_) => println!("read"),
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => println!("refused"),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}
