//! Images, made on the spot.

use std::{fs::File, io, path::Path};

use sha2::{Digest as _, Sha256};

/// Writes an image with these files, as an archive that `ctr image import` reads.
pub(crate) fn write(to: &Path, name: &str, files: &[(&str, Vec<u8>)]) -> io::Result<()> {
    let mut layer = tar::Builder::new(Vec::new());
    for (path, bytes) in files {
        add(&mut layer, path, bytes, 0o755)?;
    }
    let layer = layer.into_inner()?;
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let config = format!(
        r#"{{"architecture":"{architecture}","os":"linux","config":{{}},"rootfs":{{"type":"layers","diff_ids":["{}"]}}}}"#,
        digest(&layer)
    );
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{},"layers":[{}]}}"#,
        descriptor(
            "application/vnd.oci.image.config.v1+json",
            config.as_bytes(),
            ""
        ),
        descriptor("application/vnd.oci.image.layer.v1.tar", &layer, ""),
    );
    let annotation = format!(r#","annotations":{{"io.containerd.image.name":"{name}"}}"#);
    let index = format!(
        r#"{{"schemaVersion":2,"manifests":[{}]}}"#,
        descriptor(
            "application/vnd.oci.image.manifest.v1+json",
            manifest.as_bytes(),
            &annotation,
        ),
    );
    let mut image = tar::Builder::new(File::create(to)?);
    add(
        &mut image,
        "oci-layout",
        br#"{"imageLayoutVersion":"1.0.0"}"#,
        0o644,
    )?;
    add(&mut image, "index.json", index.as_bytes(), 0o644)?;
    for blob in [config.as_bytes(), manifest.as_bytes(), &layer] {
        let path = format!("blobs/{}", digest(blob).replace(':', "/"));
        add(&mut image, &path, blob, 0o644)?;
    }
    image.into_inner()?.sync_all()
}

fn add(
    archive: &mut tar::Builder<impl io::Write>,
    path: &str,
    bytes: &[u8],
    mode: u32,
) -> io::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_size(bytes.len() as u64);
    header.set_mode(mode);
    archive.append_data(&mut header, path, bytes)
}

fn digest(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    let digits: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{digits}")
}

fn descriptor(kind: &str, bytes: &[u8], rest: &str) -> String {
    format!(
        r#"{{"mediaType":"{kind}","digest":"{}","size":{}{rest}}}"#,
        digest(bytes),
        bytes.len()
    )
}
