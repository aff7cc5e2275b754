//! What AWS takes nowhere, and estates may not say either: regions and names of buckets that cannot be, and words that
//! are none of a closed set.
//!
//! What AWS calls its members is not looked at.

use serde_json::{Map, Value};

use super::{DEFAULT_REGIONS, OPT_IN_REGIONS};

/// A member that holds one of a few words, as a path; a list on the way stands for all of its items.
pub(super) type Closed = (&'static str, &'static [&'static str]);

const SWITCH: &[&str] = &["Enabled", "Disabled"];

/// Settings of buckets.
#[rustfmt::skip]
pub(super) const OF_BUCKETS: &[Closed] = &[
    ("versioning.Status", &["Enabled", "Suspended"]),
    ("versioning.MFADelete", SWITCH),
    ("object_lock.ObjectLockEnabled", &["Enabled"]),
    ("object_lock.Rule.DefaultRetention.Mode", &["GOVERNANCE", "COMPLIANCE"]),
    ("encryption.Rules.ApplyServerSideEncryptionByDefault.SSEAlgorithm", &["AES256", "aws:backup", "aws:fsx",
        "aws:kms", "aws:kms:dsse"]),
    ("lifecycle.Rules.Status", SWITCH),
    ("replication.Rules.Status", SWITCH),
    ("ownership.Rules.ObjectOwnership", &["BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"]),
    ("acl.Grants.Permission", &["FULL_CONTROL", "READ", "READ_ACP", "WRITE", "WRITE_ACP"]),
];

/// Members of resources, by service and kind. Words for states are not among them: AWS adds to those.
#[rustfmt::skip]
const OF_RESOURCES: &[(&str, &str, &[Closed])] = &[
    ("sagemaker", "notebooks", &[("DirectInternetAccess", SWITCH), ("RootAccess", SWITCH)]),
    ("sagemaker", "domains", &[("AppNetworkAccessType", &["PublicInternetOnly", "VpcOnly"])]),
    ("kms", "keys", &[("KeyManager", &["AWS", "CUSTOMER"])]),
    ("ec2", "flow_logs", &[("TrafficType", &["ACCEPT", "ALL", "REJECT"]),
        ("LogDestinationType", &["cloud-watch-logs", "kinesis-data-firehose", "s3"])]),
];

/// The members of a kind of resources that hold one of a few words.
pub(super) fn of_resources(service: &str, kind: &str) -> &'static [Closed] {
    let found = OF_RESOURCES.iter().find(|(of, name, _)| (*of, *name) == (service, kind));
    found.map_or(&[], |(_, _, closed)| closed)
}

/// What stands at a path below a resource and is none of its words.
pub(super) fn strays<'a>(resource: &'a Map<String, Value>, (path, words): &Closed) -> Vec<&'a Value> {
    let mut names = path.split('.');
    let mut found: Vec<&Value> = names.next().and_then(|name| resource.get(name)).into_iter().collect();
    for name in names {
        found = found.into_iter().flat_map(items).filter_map(|value| value.get(name)).collect();
    }
    found.retain(|value| !value.is_null() && value.as_str().is_none_or(|text| !words.contains(&text)));
    found
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice)
}

/// Every region there is.
pub(super) fn regions() -> impl Iterator<Item = &'static str> {
    DEFAULT_REGIONS.iter().chain(OPT_IN_REGIONS).copied()
}

/// Why no bucket can have this name, if none can
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>).
pub(super) fn bucket_name(name: &str) -> Option<&'static str> {
    const STARTS: &[&str] = &["xn--", "sthree-", "amzn-s3-demo-"];
    const ENDS: &[&str] = &["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends_plain = |byte: Option<u8>| byte.is_some_and(plain);
    if !(3..=63).contains(&name.len()) {
        return Some("names of buckets have 3 to 63 characters");
    }
    if !name.bytes().all(|byte| plain(byte) || matches!(byte, b'.' | b'-')) {
        return Some("names of buckets have lower case letters, digits, dots and hyphens only");
    }
    if !ends_plain(name.bytes().next()) || !ends_plain(name.bytes().last()) || name.contains("..") {
        return Some("names of buckets begin and end with a letter or digit, and have no two dots together");
    }
    if name.parse::<std::net::Ipv4Addr>().is_ok() {
        return Some("names of buckets are no addresses");
    }
    let kept = STARTS.iter().any(|start| name.starts_with(start)) || ENDS.iter().any(|end| name.ends_with(end));
    kept.then_some("AWS keeps names like it to itself")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_that_no_bucket_has() {
        for name in ["B_A", "ab", "a_b", "-abc", "abc.", "a..b", "192.168.5.4", "xn--abc", "abc--x-s3"] {
            assert!(bucket_name(name).is_some(), "{name}");
        }
        for name in ["abc", "a.b-c", "192.168.5", "models-eu-west-1-111111111111"] {
            assert_eq!(bucket_name(name), None, "{name}");
        }
        assert!(bucket_name(&"a".repeat(64)).is_some());
    }

    #[test]
    fn words_that_are_none_of_a_closed_set_are_found_in_lists_too() {
        let closed = ("Rules.Status", SWITCH);
        let rules = json!({"Rules": [{"Status": "Enabled"}, {"Status": "Enabeld"}, {"Status": true}, {}]});
        assert_eq!(strays(rules.as_object().unwrap(), &closed), [&json!("Enabeld"), &json!(true)]);
    }
}
