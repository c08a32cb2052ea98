//! All results as one page.

use wasix_landlock_figures::page::prose;

use crate::{Results, summary};

/// The page.
///
/// # Errors
/// A table that can't be drawn.
pub fn page(results: &Results) -> anyhow::Result<String> {
    let mut text = format!(
        "<p>Wasmer's WASI layer, with what was preopened enforced by the kernel, beside no \
         module at all (<i>native</i>), Wasmer as published (<i>upstream</i>) and wasmtime. <i>Fork</i> is this \
         project with enforcement off, <i>enforced</i> with it.</p>\n<p class=machine>{}</p>\n",
        prose(&results.machine.describe())
    );
    for apart in &results.apart {
        text += &format!("<p class=machine>{}</p>\n", prose(&apart.describe(results)));
    }
    text += "<ul>\n";
    for sentence in summary(results) {
        text += &format!("<li>{}</li>\n", prose(&sentence));
    }
    text += "</ul>\n";
    wasix_landlock_figures::page::page("What it costs", &text, results)
}
