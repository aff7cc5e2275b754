//! Where a run may lie besides a folder: a prefix in an S3 bucket. Nothing here speaks to S3.

use std::fmt;

/// A bucket and what the keys of a run in it begin with, written `s3://bucket/prefix`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct S3Prefix {
    bucket: String,
    /// Without a slash at either end; never empty.
    prefix: String,
}

impl S3Prefix {
    /// How every such place begins.
    pub const SCHEME: &str = "s3://";

    /// Parses `s3://bucket/prefix`. A bucket as a whole is refused: locard shares it with others, and is to be
    /// permitted no more than a prefix of it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix(Self::SCHEME).ok_or_else(|| format!("`{text}` does not begin with s3://"))?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let named = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
        if !(3..=63).contains(&bucket.len()) || !bucket.bytes().all(named) {
            return Err(format!("`{bucket}` is not the name of a bucket, as in s3://bucket/prefix"));
        }
        let prefix = prefix.trim_end_matches('/');
        if prefix.is_empty() {
            return Err(format!("name a prefix in the bucket, such as s3://{bucket}/locard/2026-q1"));
        }
        // What is safe in keys by S3's own guide, and in the policies that are written with them: no wildcard.
        let plain = |part: &str| {
            !matches!(part, "" | "." | "..")
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!-_.'()=+@:,".contains(&b))
        };
        if prefix.len() > 512 || !prefix.split('/').all(plain) {
            return Err(format!("`{prefix}` is not a prefix of plain characters, such as locard/2026-q1"));
        }
        Ok(Self { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }

    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// Without a slash at either end.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The key of a file of the run.
    pub fn key(&self, name: &str) -> String {
        format!("{}/{name}", self.prefix)
    }

    /// The name of the file that a key is of; none for a key outside.
    pub fn name<'a>(&self, key: &'a str) -> Option<&'a str> {
        key.strip_prefix(&self.prefix)?.strip_prefix('/')
    }
}

impl fmt::Display for S3Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}/{}", Self::SCHEME, self.bucket, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_a_bucket_has_a_bucket_and_a_prefix() {
        let place = S3Prefix::parse("s3://audit.example/locard/2026-q1/").unwrap_or_else(|e| panic!("{e}"));
        assert_eq!((place.bucket(), place.prefix()), ("audit.example", "locard/2026-q1"));
        assert_eq!(place.to_string(), "s3://audit.example/locard/2026-q1");
        let key = place.key("snapshot/manifest.json");
        assert_eq!(key, "locard/2026-q1/snapshot/manifest.json");
        assert_eq!(place.name(&key), Some("snapshot/manifest.json"));
        assert_eq!(place.name("locard/2026-q10/x"), None);
        for bad in [
            "run",
            "s3://",
            "s3://b/x",
            "s3://bucket",
            "s3://bucket/",
            "s3://bucket/a//b",
            "s3://bucket/../x",
            "s3://bucket/*",
            "s3://Bucket/x",
        ] {
            assert!(S3Prefix::parse(bad).is_err(), "{bad}");
        }
    }
}
