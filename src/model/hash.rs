//! SHA-256, the one digest evidence is sealed with.

use std::io;

use sha2::{Digest, Sha256};

/// The digest of some bytes, as 64 lower-case hex digits.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The bytes of a digest as it is written; none of text that is no digest.
pub fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).ok());
    digits.map(|pair| u8::from_str_radix(pair.filter(|pair| pair.len() == 2)?, 16).ok()).collect()
}

/// The digest over parts, each preceded by its length as a 64-bit big-endian number, so that no two lists of parts
/// read alike; the first `bytes` bytes of it as hex.
pub fn of_parts(parts: &[&str], bytes: usize) -> String {
    hex(&over(parts)[..bytes.min(32)])
}

/// The first 16 bytes of the digest over parts: what stands for them where only equality matters, and there are many.
pub fn short(parts: &[&str]) -> u128 {
    let digest = over(parts);
    digest.iter().take(16).fold(0, |number, byte| number << 8 | u128::from(*byte))
}

fn over(parts: &[&str]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().into()
}

/// The digest of bytes that pass by, on their way to somewhere or to nowhere else.
#[derive(Clone, Default)]
pub struct Hasher(Sha256);

impl Hasher {
    /// The digest of everything written so far, as [`sha256`] gives it.
    pub fn finish(self) -> String {
        hex(&self.0.finalize())
    }
}

impl io::Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |half: u8| char::from(DIGITS[usize::from(half)]);
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(byte & 15));
    }
    text
}
