//! OpenSSL: keys, digests and encrypted files.

use std::fs;
use std::path::PathBuf;

use anyhow::ensure;
use wasix_landlock_programs::packages::{OPENSSL, sha256};

use super::Program;
use crate::column::Place;
use crate::steps::Step;

pub const PROGRAM: Program = Program {
    name: "OpenSSL 1.1.1d",
    package: "npm openssl.js 1.2.0",
    small: true,
    not_on_wasmtime: Some("it imports `wasi_unstable`, which wasmtime's Python package lacks"),
    get: || Ok(vec![OPENSSL.get()?]),
    steps,
};

/// AES-256-CBC of the text, as Debian's OpenSSL 3 makes it.
const ENCRYPTED: &str = "cce84986251d90e3a9b7ba3781b230929c64ba5d76c8419df157ada6ed781285";
const CIPHER: &str = "-aes-256-cbc -K 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f \
                      -iv 0f0e0d0c0b0a09080706050403020100";

fn steps(place: &Place<'_>, paths: &[PathBuf]) -> anyhow::Result<Vec<Step>> {
    let text: Vec<u8> = (0..300_000_u32).map(|n| (n % 251) as u8).collect();
    fs::write(place.work.join("text"), &text)?;
    let openssl = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        place.run(&paths[0], &words, &[])?.success()
    };
    let genrsa = || {
        openssl("openssl genrsa -out /work/key.pem 2048")?;
        let checked = openssl("openssl rsa -in /work/key.pem -check -noout")?;
        ensure!(checked == b"RSA key ok\n", "the key is not one");
        // Another one each time.
        Ok(Vec::new())
    };
    let sign = || {
        openssl("openssl rsa -in /work/key.pem -pubout -out /work/public.pem")?;
        openssl("openssl dgst -sha256 -sign /work/key.pem -out /work/signature /work/text")?;
        openssl(
            "openssl dgst -sha256 -verify /work/public.pem -signature /work/signature /work/text",
        )
    };
    let dgst = || {
        let said = openssl("openssl dgst -sha256 /work/text")?;
        let expected = format!("SHA256(/work/text)= {}\n", sha256(&text));
        ensure!(said == expected.as_bytes(), "another digest");
        Ok(said)
    };
    let enc = || {
        openssl(&format!(
            "openssl enc {CIPHER} -in /work/text -out /work/encrypted"
        ))?;
        let encrypted = place.written("encrypted")?;
        ensure!(sha256(&encrypted) == ENCRYPTED, "another ciphertext");
        openssl(&format!(
            "openssl enc -d {CIPHER} -in /work/encrypted -out /work/decrypted"
        ))?;
        ensure!(
            place.written("decrypted")? == text,
            "another text came back"
        );
        Ok(encrypted)
    };
    Ok(vec![
        Step::new("genrsa", genrsa()),
        Step::new("sign", sign()),
        Step::new("dgst", dgst()),
        Step::new("enc", enc()),
    ])
}
