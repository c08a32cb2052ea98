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
    let layer = ("application/vnd.oci.image.layer.v1.tar", &layer[..]);
    write_layers(to, name, (architecture, "linux"), &[layer])
}

/// Writes an image with these layers, each with its media type. `platform` is the architecture and the system.
pub(crate) fn write_layers(
    to: &Path,
    name: &str,
    (architecture, system): (&str, &str),
    layers: &[(&str, &[u8])],
) -> io::Result<()> {
    let files = layers.iter().filter(|(kind, _)| kind.contains(".tar"));
    let files: Vec<_> = files
        .map(|(_, layer)| format!(r#""{}""#, digest(layer)))
        .collect();
    let config = format!(
        r#"{{"architecture":"{architecture}","os":"{system}","config":{{}},"rootfs":{{"type":"layers","diff_ids":[{}]}}}}"#,
        files.join(",")
    );
    let described = layers
        .iter()
        .map(|(kind, layer)| descriptor(kind, layer, ""));
    let described: Vec<_> = described.collect();
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{},"layers":[{}]}}"#,
        descriptor(
            "application/vnd.oci.image.config.v1+json",
            config.as_bytes(),
            ""
        ),
        described.join(","),
    );
    let platform = format!(
        r#","annotations":{{"io.containerd.image.name":"{name}"}},"platform":{{"architecture":"{architecture}","os":"{system}"}}"#
    );
    let index = format!(
        r#"{{"schemaVersion":2,"manifests":[{}]}}"#,
        descriptor(
            "application/vnd.oci.image.manifest.v1+json",
            manifest.as_bytes(),
            &platform,
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
    let layers = layers.iter().map(|(_, layer)| *layer);
    for blob in [config.as_bytes(), manifest.as_bytes()]
        .into_iter()
        .chain(layers)
    {
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
