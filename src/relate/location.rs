//! Reads S3 locations in every form workloads write them, and compares prefixes.

use crate::inventory::bedrock::S3Sink;
use crate::model::ids::AccountId;

/// A bucket and the key prefix in it; an empty prefix is the whole bucket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Location {
    pub bucket: String,
    pub prefix: String,
}

/// `s3://bucket/key`, `https://bucket.s3.region.amazonaws.com/key`, `https://s3.region.amazonaws.com/bucket/key`, an
/// ARN, or a bare bucket name. None for anything else, such as an access point or a location in another store.
pub(crate) fn parse(text: &str) -> Option<Location> {
    let text = text.trim();
    if let Some(rest) = text.strip_prefix("s3://").or_else(|| text.strip_prefix("s3a://")) {
        return split(rest);
    }
    if let Some(rest) = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) {
        let rest = rest.split(['?', '#']).next()?;
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        if !host.contains(".amazonaws.com") {
            return None;
        }
        if host.starts_with("s3.") || host.starts_with("s3-") {
            return split(path);
        }
        // Virtual-hosted style; bucket names may hold dots, so the last `.s3` before the domain splits.
        let end = host.rfind(".s3.").or_else(|| host.rfind(".s3-"))?;
        return location(&host[..end], path);
    }
    if text.starts_with("arn:") {
        let arn = crate::model::ids::Arn::parse(text)?;
        // An access point's ARN names account and region, a bucket's neither.
        if arn.service != "s3" || !arn.account.is_empty() {
            return None;
        }
        return split(arn.resource);
    }
    (!text.contains([':', '/'])).then(|| location(text, "")).flatten()
}

fn split(rest: &str) -> Option<Location> {
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    location(bucket, prefix)
}

/// Whether text names a place outside S3, as of another store.
pub(crate) fn is_elsewhere(text: &str) -> bool {
    let text = text.trim();
    match text.split_once("://") {
        Some(("s3" | "s3a", _)) => false,
        Some(("http" | "https", rest)) => !rest.split(['/', '?', '#']).next().unwrap_or("").contains(".amazonaws.com"),
        Some(_) => true,
        None => text.is_empty(),
    }
}

/// Ends of names that S3 keeps for what is no general purpose bucket: aliases of access points, directory buckets, table
/// buckets. No list tells whose they are.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>
const RESERVED: &[&str] = &["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];

fn location(bucket: &str, prefix: &str) -> Option<Location> {
    if RESERVED.iter().any(|end| bucket.ends_with(end)) {
        return None;
    }
    let plausible = (3..=63).contains(&bucket.len())
        && bucket.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.');
    // Old us-east-1 buckets may hold capitals and underscores and be longer.
    let legacy = (3..=255).contains(&bucket.len())
        && bucket.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'));
    (plausible || legacy)
        .then(|| Location { bucket: bucket.to_owned(), prefix: prefix.trim_start_matches('/').to_owned() })
}

/// A prefix that something writes below, as a folder: AWS puts a slash between it and the keys.
pub(crate) fn folder(prefix: &str) -> String {
    if prefix.is_empty() || prefix.ends_with('/') { prefix.to_owned() } else { format!("{prefix}/") }
}

/// Where Bedrock writes an account's records of invocations, below the prefix that its logging names. AWS does not
/// document the folders; those who read the records agree on these, and on one a region below, which is not relied on.
pub(crate) fn invocation_records(sink: &S3Sink, account: &AccountId) -> String {
    format!("{}AWSLogs/{account}/BedrockModelInvocationLogs/", folder(&sink.prefix))
}

/// Whether keys exist, or could, that start with both prefixes.
pub(crate) fn meet(one: &str, other: &str) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

/// Whether AWS itself owns a bucket of this name that no account of the sweep owns: JumpStart, samples, seed code. Whole
/// names only, as anybody may choose one that begins alike.
pub(crate) fn aws_owned_name(bucket: &str) -> bool {
    const NAMES: &[&str] = &["sagemaker-sample-files", "aws-ml-blog", "amazon-reviews-pds"];
    /// One for each region.
    const REGIONAL: &[&str] = &[
        "jumpstart-cache-prod-",
        "jumpstart-private-cache-prod-",
        "jumpstart-cache-alpha-",
        "sagemaker-sample-data-",
        "sagemaker-example-files-prod-",
        "sagemaker-servicecatalog-seedcode-",
    ];
    NAMES.contains(&bucket) || REGIONAL.iter().any(|name| bucket.strip_prefix(name).is_some_and(is_region))
}

/// Whether text has the form of a region's code, such as `us-gov-west-1`.
fn is_region(text: &str) -> bool {
    const DIRECTIONS: &[&str] =
        &["north", "northeast", "east", "southeast", "south", "southwest", "west", "northwest", "central"];
    let parts: Vec<&str> = text.split('-').collect();
    let letters = |part: &&str| part.len() <= 4 && part.bytes().all(|b| b.is_ascii_lowercase());
    match parts.as_slice() {
        [area, rest @ .., direction, number] if area.len() >= 2 && rest.len() <= 1 => {
            letters(area)
                && rest.iter().all(letters)
                && DIRECTIONS.contains(direction)
                && matches!(number.as_bytes(), [b'1'..=b'9'])
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_location() {
        let at = |text: &str| parse(text).map(|l| (l.bucket, l.prefix));
        let found = |bucket: &str, prefix: &str| Some((bucket.to_owned(), prefix.to_owned()));
        assert_eq!(at("s3://data/train/2026"), found("data", "train/2026"));
        assert_eq!(at("s3://data"), found("data", ""));
        assert_eq!(at("https://data.s3.eu-west-1.amazonaws.com/m.tgz"), found("data", "m.tgz"));
        assert_eq!(at("https://dotted.name.s3.amazonaws.com/m"), found("dotted.name", "m"));
        assert_eq!(at("https://s3.eu-west-1.amazonaws.com/data/m?versionId=1"), found("data", "m"));
        assert_eq!(at("https://s3-eu-west-1.amazonaws.com/data/m"), found("data", "m"));
        assert_eq!(at("https://data.s3.cn-north-1.amazonaws.com.cn/m"), found("data", "m"));
        assert_eq!(at("arn:aws-cn:s3:::data/prefix"), found("data", "prefix"));
        assert_eq!(at("data-bucket"), found("data-bucket", ""));
        for other in [
            "",
            "arn:aws:s3:eu-west-1:111122223333:accesspoint/mine",
            "https://example.com/data",
            "file:///data",
            "s3://",
            "s3://no bucket/here",
            "huggingface://model",
            "s3://mine-abcdefg-s3alias/data",
            "s3://training--use1-az4--x-s3/data",
        ] {
            assert_eq!(at(other), None, "{other}");
        }
        for elsewhere in ["", "https://example.com/data", "file:///data", "huggingface://model"] {
            assert!(is_elsewhere(elsewhere), "{elsewhere}");
        }
        for ours in ["s3://", "arn:aws:s3:eu-west-1:111122223333:accesspoint/mine", "https://x.s3.amazonaws.com/"] {
            assert!(!is_elsewhere(ours), "{ours}");
        }
    }

    #[test]
    fn anybody_may_choose_a_name_that_begins_like_one_of_aws() {
        for name in ["jumpstart-cache-prod-us-east-1", "sagemaker-sample-data-ap-southeast-2", "aws-ml-blog"] {
            assert!(aws_owned_name(name), "{name}");
        }
        assert!(aws_owned_name("jumpstart-cache-prod-us-gov-west-1"));
        for name in [
            "aws-ml-blog-mine",
            "jumpstart-cache-prod",
            "jumpstart-cache-prod-mine-1",
            "jumpstart-cache-prod-us-east-1-x",
        ] {
            assert!(!aws_owned_name(name), "{name}");
        }
    }
}
