//! The page's style, and the content policy that lets in this style and nothing else.

use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// The whole of it; it stands between the tags as it is here.
pub(super) const STYLE: &str = include_str!("style.css");

/// Nothing is fetched, run, framed or sent; the icon is an empty `data:`.
pub(super) fn content_policy() -> &'static str {
    static POLICY: OnceLock<String> = OnceLock::new();
    POLICY.get_or_init(|| {
        let hash = STANDARD.encode(Sha256::digest(STYLE));
        format!(
            "default-src 'none'; style-src 'sha256-{hash}'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
    })
}
