//! The isolation that each compiler gives, as far as the compiler itself has a part in it.

use serde::Serialize;

/// A property of the compilers.
#[derive(Debug, Serialize)]
pub struct Fact {
    /// The property.
    pub property: &'static str,
    /// Of Cranelift.
    pub cranelift: &'static str,
    /// Of Singlepass.
    pub singlepass: &'static str,
}

/// The properties, read in the sources of Wasmer 7.4.2. CHOOSING.md says which compiler to choose.
pub const FACTS: [Fact; 6] = [
    Fact {
        property: "enforcement by the kernel",
        cranelift: "the same: Landlock doesn't depend on the compiler",
        singlepass: "the same: Landlock doesn't depend on the compiler",
    },
    Fact {
        property: "a bug of the compiler",
        cranelift: "gives a module native code; the scopes process and worker still restrict it to the grants",
        singlepass: "likewise; the compiler is smaller",
    },
    Fact {
        property: "a hostile module while it is compiled",
        cranelift: "can take long: the time grows with the size of each function",
        singlepass: "proportional to the size of the module",
    },
    Fact {
        property: "Spectre: memory accesses",
        cranelift: "no mitigation; none is needed with the default of 4 GiB and a guard region",
        singlepass: "none known; the same guard region",
    },
    Fact {
        property: "Spectre: indirect calls and tables",
        cranelift: "no mitigation: the index is checked by a branch",
        singlepass: "no mitigation: the index is checked by a branch",
    },
    Fact {
        property: "licence of the published crate",
        cranelift: "MIT",
        singlepass: "Business Source License",
    },
];
