//! `report.html`: one file that needs no network and no script, for screens, both colour schemes, and paper.

use minijinja::Value;
use sha2::{Digest, Sha256};

use super::summary::Summary;
use super::view::{self, Limits};
use super::{ReportError, embedded, template};

/// Mail systems still carry a file of this size.
const BYTES: usize = 5_000_000;
/// A browser shows a page of so many elements within a second.
const ELEMENTS: usize = 50_000;
/// From generous to thrifty: the first that keeps to the budgets is taken. What is left out is counted in its place.
const LIMITS: [Limits; 6] = [
    limits(900, 100, 40, 500),
    limits(600, 60, 25, 300),
    limits(400, 40, 20, 250),
    limits(250, 30, 15, 200),
    limits(120, 20, 10, 100),
    limits(40, 10, 6, 50),
];

const fn limits(detailed: usize, listed: usize, explained: usize, rows: usize) -> Limits {
    Limits {
        matrix_columns: 12,
        detailed_per_check: 50,
        detailed,
        explained_findings: usize::MAX,
        listed,
        named: listed / 2,
        explained,
        rows,
    }
}

/// The report as one HTML document.
///
/// # Errors
/// Only when a template of this build is broken.
pub fn html(summary: &Summary) -> Result<String, ReportError> {
    let css = embedded("report.css").unwrap_or_else(|| panic!("internal error: no embedded style sheet"));
    // The policy admits this style sheet and nothing else: should text ever get past the escaping, it stays text.
    let digest = base64(&Sha256::digest(css.as_bytes()));
    let extra = [("css", Value::from_safe_string(css)), ("css_digest", Value::from_safe_string(digest))];
    let mut html = String::new();
    for limits in LIMITS {
        // The one that was too large is of no use to the next.
        drop(std::mem::take(&mut html));
        html = template("report.html.j2", view::build(summary, limits), &extra)
            .map_err(|source| ReportError { format: "HTML", source })?;
        if html.len() < BYTES && elements(&html) < ELEMENTS {
            break;
        }
    }
    Ok(html)
}

fn elements(html: &str) -> usize {
    html.matches('<').count() - html.matches("</").count()
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
