//! One small hash, the same on every machine and in every run: what is pseudo-random here can be repeated.

/// FNV-1a, 64 bits, with its bits mixed at the end.
pub(crate) struct Fnv(u64);

impl Fnv {
    pub(crate) fn new(seed: u64) -> Self {
        Self(0xcbf2_9ce4_8422_2325 ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// Of texts, told apart from the same letters split otherwise.
    pub(crate) fn of(parts: &[&str]) -> u64 {
        let mut hash = Self::new(0);
        parts.iter().for_each(|part| hash.add(part));
        hash.end()
    }

    pub(crate) fn add(&mut self, text: &str) {
        text.bytes().chain([0xff]).for_each(|byte| {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        });
    }

    pub(crate) fn end(self) -> u64 {
        let mut bits = self.0;
        bits = (bits ^ (bits >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        bits = (bits ^ (bits >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        bits ^ (bits >> 33)
    }
}

/// A hash as a number from 0 to below 1.
pub(crate) fn share(hash: u64) -> f64 {
    (hash >> 11) as f64 / (1_u64 << 53) as f64
}
