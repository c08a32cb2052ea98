//! Nothing is to be done. With a build script, the package can ask for features of what build scripts use.
fn main() {}
