//! `report.html`: one file that needs no network and no script, for screens, both colour schemes, and paper.

use minijinja::Value;
use sha2::{Digest, Sha256};

use super::view::{self, Limits};
use super::{ReportError, embedded, template};
use crate::results::Results;

/// Keeps a run of 500 accounts and 40 checks under 5 MB.
const LIMITS: Limits = Limits { matrix_columns: 12, detailed_per_check: 50, detailed: 900, listed: 150, explained: 40 };

/// The report as one HTML document.
///
/// # Errors
/// Only when a template of this build is broken.
pub fn html(results: &Results) -> Result<String, ReportError> {
    let view = view::build(results, LIMITS);
    let css = embedded("report.css").unwrap_or_default();
    // The policy admits this style sheet and nothing else: should text ever get past the escaping, it stays text.
    let digest = base64(&Sha256::digest(css.as_bytes()));
    let extra = [("css", Value::from_safe_string(css)), ("css_digest", Value::from_safe_string(digest))];
    template("report.html.j2", &view, &extra).map_err(|source| ReportError { format: "HTML", source })
}

/// Standard Base64 with padding.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let at = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for i in 0..4 {
            let index = (bits >> (18 - 6 * i)) & 63;
            out.push(if i <= chunk.len() { char::from(ALPHABET[index as usize]) } else { '=' });
        }
    }
    out
}
