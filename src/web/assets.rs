//! Scripts and styles, built into the binary. Their address holds a hash of all of them, so a
//! browser may keep them for ever and never mixes two versions.

use std::io::Write as _;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::app::App;

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

macro_rules! files {
    ($($name:literal $kind:ident,)+) => {
        /// Every file with its type.
        const FILES: &[(&str, &str, &[u8])] =
            &[$(($name, $kind, include_bytes!(concat!("assets/", $name))),)+];
    };
}

files! {
    "app.js" SCRIPT,
    "scanner.js" SCRIPT,
    "symbol.js" SCRIPT,
    "run.js" SCRIPT,
    "replay.js" SCRIPT,
    "parity.js" SCRIPT,
    "style.css" STYLE,
    "vendor/lightweight-charts-5.2.1.js" SCRIPT,
    "vendor/lightweight-charts.LICENSE" TEXT,
    "vendor/uplot-1.6.32.js" SCRIPT,
    "vendor/uplot-1.6.32.css" STYLE,
    "vendor/uplot.LICENSE" TEXT,
}

/// The files, packed.
pub struct Assets {
    hash: String,
    packed: Vec<Vec<u8>>,
}

impl Assets {
    /// Packs the files.
    pub fn new() -> Assets {
        let mut hasher = blake3::Hasher::new();
        FILES.iter().for_each(|(name, _, bytes)| {
            hasher.update(name.as_bytes()).update(bytes);
        });
        let packed = FILES.iter().map(|(_, _, bytes)| packed(bytes)).collect();
        Assets { hash: hasher.finalize().to_hex()[..16].to_owned(), packed }
    }

    /// The address of a file.
    pub fn url(&self, name: &str) -> String {
        format!("/assets/{}/{name}", self.hash)
    }
}

impl Default for Assets {
    fn default() -> Assets {
        Assets::new()
    }
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    written.expect("writing to a Vec cannot fail")
}

/// `GET /assets/{hash}/{*name}`.
pub async fn asset(
    State(app): State<App>,
    Path((hash, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let place = FILES.iter().position(|(file, _, _)| *file == name);
    let Some(place) = place.filter(|_| hash == app.assets.hash) else {
        return (StatusCode::NOT_FOUND, "no such file; load the page again\n").into_response();
    };
    let (_, kind, plain) = FILES[place];
    let accepts = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
    let may_pack = accepts.is_some_and(|accepts| accepts.contains("gzip"));
    let mut response = match may_pack {
        true => Body::from(app.assets.packed[place].clone()),
        false => Body::from(plain),
    }
    .into_response();
    let mut set = |name, value: &'static str| {
        response.headers_mut().insert(name, header::HeaderValue::from_static(value));
    };
    set(header::CONTENT_TYPE, kind);
    set(header::CACHE_CONTROL, "public, max-age=31536000, immutable");
    set(header::VARY, "accept-encoding");
    if may_pack {
        set(header::CONTENT_ENCODING, "gzip");
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was taken from the npm registry, byte for byte: `blake3 name`, one a line.
    const VENDORED: &str = include_str!("assets/vendor/BLAKE3");

    #[test]
    fn what_is_from_others_is_what_they_published() {
        let vendored = FILES.iter().filter(|(name, _, _)| name.starts_with("vendor/"));
        let found: String = vendored
            .map(|(name, _, bytes)| {
                format!("{}  {}\n", blake3::hash(bytes).to_hex(), &name["vendor/".len()..])
            })
            .collect();
        assert_eq!(found, VENDORED);
    }

    #[test]
    fn nothing_is_fetched_from_elsewhere() {
        for (name, _, bytes) in FILES.iter().filter(|(name, _, _)| !name.starts_with("vendor/")) {
            let text = std::str::from_utf8(bytes).unwrap();
            assert!(!text.contains("://"), "{name}");
        }
    }
}
