//! SHA-256, the one digest evidence is sealed with.

use sha2::{Digest, Sha256};

/// The digest of some bytes, as 64 lower-case hex digits.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The digest over parts, each preceded by its length as a 64-bit big-endian number, so that no two lists of parts
/// read alike; the first `bytes` bytes of it as hex.
pub fn of_parts(parts: &[&str], bytes: usize) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    hex(&hasher.finalize()[..bytes.min(32)])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
