//! The module of a Wasm OCI artifact: a layer of the image, which containerd stores and never unpacks into files.
//!
//! The shim asks containerd before the container is made, over a connection that it closes afterwards. The container's
//! processes descend from a process that is older than the connection, and don't inherit it.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use containerd_client::{
    Client,
    services::v1::{GetContainerRequest, GetImageRequest, ReadContentRequest},
    tonic::Request,
    with_namespace,
};
use containerd_shimkit::sandbox::InstanceConfig;
use oci_spec::image::{Descriptor, ImageManifest};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

/// The media types of layers that are modules.
const MODULES: [&str; 3] = [
    "application/wasm",
    "application/vnd.wasm.content.layer.v1+wasm",
    // By `oci-tar-builder`, of components and modules alike.
    "application/vnd.bytecodealliance.wasm.component.layer.v0+wasm",
];

/// The time that containerd gets for the manifest, and again for the layer.
const LONGEST: Duration = Duration::from_secs(30);

/// The size of a manifest, and of a layer, in bytes. This process is in no container: its memory has no other limit.
const LARGEST_MANIFEST: usize = 8 << 20;
const LARGEST_LAYER: usize = 256 << 20;

/// The place of a container's module, as far as containerd knows it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Module {
    /// The image's only Wasm layer, with its bytes.
    Layer(#[serde(with = "serde_bytes")] Vec<u8>),
    /// A file of the container: the image has no Wasm layer.
    File,
    /// A file of the container, unless it has none: containerd doesn't say what layers the image has, for this reason.
    Unknown(String),
}

/// Reads the Wasm layer of a container's image, if it has one.
///
/// # Errors
/// An image with several Wasm layers, and a layer that is too large, or that containerd doesn't have.
pub(crate) async fn find(id: &str, config: &InstanceConfig) -> anyhow::Result<Module> {
    let image = timeout(LONGEST, Image::of(id, config)).await;
    let image = match image.context("it doesn't answer").flatten() {
        Ok(Some(image)) => image,
        Ok(None) => return Ok(Module::File),
        Err(error) => return Ok(Module::Unknown(format!("{error:#}"))),
    };
    let Some(layer) = wasm_layer(&image.manifest)? else {
        return Ok(Module::File);
    };
    let digest = layer.digest().to_string();
    let bytes = timeout(LONGEST, image.containerd.content(digest, LARGEST_LAYER)).await;
    let bytes = bytes.context("containerd doesn't answer").flatten();
    let bytes = bytes.context("can't read the image's Wasm layer")?;
    Ok(Module::Layer(bytes))
}

/// The Wasm layer of an image that has one.
fn wasm_layer(manifest: &ImageManifest) -> anyhow::Result<Option<&Descriptor>> {
    let layers = manifest.layers().iter();
    let layers: Vec<_> = layers
        .filter(|layer| MODULES.contains(&layer.media_type().as_ref()))
        .collect();
    match layers[..] {
        [] => Ok(None),
        [layer] => Ok(Some(layer)),
        _ => bail!(
            "the image has {} Wasm layers, and a container runs one module; make an image for each",
            layers.len()
        ),
    }
}

/// The image that a container was made from.
struct Image<'c> {
    containerd: Containerd<'c>,
    manifest: ImageManifest,
}

impl<'c> Image<'c> {
    async fn of(id: &str, config: &'c InstanceConfig) -> anyhow::Result<Option<Self>> {
        let containerd = Containerd::connect(config).await?;
        let Some(digest) = containerd.image(id.to_owned()).await? else {
            return Ok(None);
        };
        let manifest = containerd.content(digest, LARGEST_MANIFEST).await?;
        let manifest = ImageManifest::from_reader(&manifest[..])
            .context("the image is not of one manifest")?;
        Ok(Some(Self {
            containerd,
            manifest,
        }))
    }
}

/// A connection to containerd.
struct Containerd<'c> {
    client: Client,
    namespace: &'c str,
}

impl<'c> Containerd<'c> {
    async fn connect(config: &'c InstanceConfig) -> anyhow::Result<Self> {
        let client = Client::from_path(&config.containerd_address).await;
        Ok(Self {
            client: client.with_context(|| format!("can't reach {}", config.containerd_address))?,
            namespace: &config.namespace,
        })
    }

    /// The digest of the image of a container, which may have been made without one.
    async fn image(&self, id: String) -> anyhow::Result<Option<String>> {
        let request = with_namespace!(GetContainerRequest { id }, self.namespace);
        let answer = self.client.containers().get(request).await;
        let container = answer.context("it doesn't know the container")?;
        let name = container.into_inner().container.map(|it| it.image);
        let Some(name) = name.filter(|name| !name.is_empty()) else {
            return Ok(None);
        };
        let request = GetImageRequest { name: name.clone() };
        let request = with_namespace!(request, self.namespace);
        let answer = self.client.images().get(request).await;
        let image = answer.with_context(|| format!("it doesn't have the image {name}"))?;
        let target = image.into_inner().image.and_then(|image| image.target);
        Ok(Some(target.context("the image is empty")?.digest))
    }

    /// A blob of the content store, of at most `largest` bytes.
    async fn content(&self, digest: String, largest: usize) -> anyhow::Result<Vec<u8>> {
        let request = ReadContentRequest {
            digest,
            ..ReadContentRequest::default()
        };
        let request = with_namespace!(request, self.namespace);
        let mut parts = self.client.content().read(request).await?.into_inner();
        let mut content = Vec::new();
        while let Some(part) = parts.message().await? {
            content.extend_from_slice(&part.data);
            ensure!(content.len() <= largest, "it has more than {largest} bytes");
        }
        Ok(content)
    }
}

#[cfg(test)]
mod tests {
    use oci_spec::image::ImageManifest;
    use serde_json::json;

    use super::wasm_layer;

    /// An image whose layers are of these kinds, each with its number as its size.
    fn image(layers: &[&str]) -> ImageManifest {
        let described = |kind: &str, size: usize| {
            let digest = format!("sha256:{size:064x}");
            json!({"mediaType": kind, "digest": digest, "size": size})
        };
        let numbered = layers.iter().enumerate();
        let layers: Vec<_> = numbered.map(|(at, kind)| described(kind, at)).collect();
        let config = described("application/vnd.wasm.config.v0+json", 0);
        let manifest = json!({"schemaVersion": 2, "config": config, "layers": layers});
        serde_json::from_value(manifest).expect("a manifest")
    }

    #[test]
    fn a_wasm_layer_is_found_among_others() {
        const FILES: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
        for wasm in super::MODULES {
            let image = image(&[FILES, "text/plain", wasm]);
            let layer = wasm_layer(&image).expect("one layer").expect("a layer");
            assert_eq!(layer.size(), 2);
        }
        let files = image(&[FILES, "application/vnd.oci.image.layer.v1.tar"]);
        assert_eq!(wasm_layer(&files).expect("no layer"), None);
    }

    #[test]
    fn several_wasm_layers_are_an_error() {
        let image = image(&[super::MODULES[0], super::MODULES[1]]);
        let error = wasm_layer(&image).expect_err("two layers").to_string();
        assert!(error.contains("2 Wasm layers"), "{error}");
    }
}
