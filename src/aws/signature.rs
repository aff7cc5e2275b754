//! Signature Version 4 (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>).
//!
//! The SDK's signer is made for every request there can be, and took a fifth of the CPU time of a sweep. Almost all
//! requests of a sweep are plain: nothing in their path, query or headers is written differently when it is signed. Those
//! are put together here, and signed with the SDK's keys; all others the SDK's signer signs, and tests hold the two
//! against each other.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode,
    sign as signature,
};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::DateTime;

use crate::model::hash;
use crate::model::time::Timestamp;

/// Headers that signatures leave out, as those that carry requests may change them.
const UNSIGNED: &[&str] = &["authorization", "user-agent", "x-amzn-trace-id", "transfer-encoding"];

/// What a signature is good for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope<'a> {
    pub region: &'a str,
    /// Name of the service in signatures.
    pub service: &'a str,
    /// Whether paths are signed as they are, which S3 alone does.
    pub paths_as_they_are: bool,
}

/// Headers to add, by name.
type Added = Vec<(&'static str, String)>;

/// The key of the last signature, which is that of all others on a day, with the same credentials, for the same service.
#[derive(Debug, Default)]
pub(crate) struct LastKey(Mutex<Option<Key>>);

struct Key {
    /// Access key, day, region and service.
    of: String,
    key: [u8; 32],
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("of", &self.of).finish_non_exhaustive()
    }
}

impl LastKey {
    /// The key that signs `of`; made anew if it is not the last one.
    fn get(&self, of: &str, make: impl FnOnce() -> [u8; 32]) -> [u8; 32] {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some(known) if known.of == of => known.key,
            _ => last.insert(Key { of: of.to_owned(), key: make() }).key,
        }
    }
}

/// Signs a request whose body is whole, with all headers it has so far.
pub(crate) fn sign(
    request: &mut HttpRequest,
    identity: &Identity,
    scope: &Scope<'_>,
    last: &LastKey,
    now: SystemTime,
) -> Result<(), BoxError> {
    let plain = identity.data::<Credentials>().and_then(|credentials| plain(request, credentials, scope, last, now));
    let added = match plain {
        Some(added) => added,
        None => by_sdk(request, identity, scope, now)?,
    };
    for (name, value) in added {
        request.headers_mut().try_insert(name, value)?;
    }
    Ok(())
}

/// The signature of any request, by the SDK. The digest of the body is part of every signature, as S3 demands and others
/// accept; some servers that verify signatures take a request without body for unsigned otherwise.
fn by_sdk(request: &HttpRequest, identity: &Identity, scope: &Scope<'_>, now: SystemTime) -> Result<Added, BoxError> {
    let mut settings = SigningSettings::default();
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    if scope.paths_as_they_are {
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    }
    let parameters = v4::SigningParams::builder()
        .identity(identity)
        .region(scope.region)
        .name(scope.service)
        .time(now)
        .settings(settings)
        .build()?
        .into();
    let body = request.body().bytes().ok_or("the request has no body to sign")?;
    let signable =
        SignableRequest::new(request.method(), request.uri(), request.headers().iter(), SignableBody::Bytes(body))?;
    let (signature, _) = signature(signable, &parameters)?.into_parts();
    let (headers, _) = signature.into_parts();
    Ok(headers.into_iter().map(|header| (header.name(), header.value().to_owned())).collect())
}

/// The signature of a plain request; none for one that is not.
fn plain(
    request: &HttpRequest,
    credentials: &Credentials,
    scope: &Scope<'_>,
    last: &LastKey,
    now: SystemTime,
) -> Option<Added> {
    let (host, path, query) = parts(request.uri())?;
    let query = canonical_query(query)?;
    let at = compact(now);
    let day = at.get(..8)?;
    let digest = hash::sha256(request.body().bytes()?);
    let token = credentials.session_token();

    let mut headers: Vec<(&str, &str)> = Vec::with_capacity(request.headers().len() + 4);
    headers.extend(request.headers().iter());
    headers.extend([("host", host), ("x-amz-content-sha256", digest.as_str()), ("x-amz-date", at.as_str())]);
    headers.extend(token.map(|token| ("x-amz-security-token", token)));
    headers.sort_unstable_by_key(|(name, _)| *name);
    let twice = headers.windows(2).any(|two| two[0].0 == two[1].0);
    if twice || !headers.iter().all(|(name, value)| !UNSIGNED.contains(name) && is_trimmed(value)) {
        return None;
    }

    let mut text = String::with_capacity(1024 + token.map_or(0, str::len));
    text.extend([request.method(), "\n", path, "\n", &query, "\n"]);
    for (name, value) in &headers {
        text.extend([name, ":", value, "\n"]);
    }
    text.push('\n');
    let names_at = text.len();
    for (at, (name, _)) in headers.iter().enumerate() {
        text.extend([if at == 0 { "" } else { ";" }, name]);
    }
    let names_to = text.len();
    text.extend(["\n", &digest]);
    let canonical = hash::sha256(text.as_bytes());
    let names = text.get(names_at..names_to)?;

    let Scope { region, service, .. } = scope;
    let credential = [credentials.access_key_id(), "/", day, "/", region, "/", service, "/aws4_request"].concat();
    let scope = credential.get(credentials.access_key_id().len() + 1..)?;
    let to_sign = ["AWS4-HMAC-SHA256\n", &at, "\n", scope, "\n", &canonical].concat();
    let key = last.get(&credential, || {
        let key = v4::generate_signing_key(credentials.secret_access_key(), now, region, service);
        <[u8; 32]>::try_from(key.as_ref()).unwrap_or_else(|_| panic!("internal error: SHA-256 has 32 bytes"))
    });
    let signed = v4::calculate_signature(key, to_sign.as_bytes());
    let authorization =
        ["AWS4-HMAC-SHA256 Credential=", &credential, ", SignedHeaders=", names, ", Signature=", &signed].concat();
    let mut added = Vec::with_capacity(4);
    added.extend([("authorization", authorization), ("x-amz-date", at), ("x-amz-content-sha256", digest)]);
    added.extend(token.map(|token| ("x-amz-security-token", token.to_owned())));
    Some(added)
}

/// Host, path and query of a URL, where host and path are signed as they are.
fn parts(url: &str) -> Option<(&str, &str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let (target, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (host, path) = target.find('/').map_or((target, "/"), |at| target.split_at(at));
    // Ports that are a scheme's own are not sent.
    let own_port = if scheme == "https" { ":443" } else { ":80" };
    let named = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~');
    let plain = !host.ends_with(own_port)
        && !host.contains('@')
        && !path.contains("//")
        && path.bytes().all(|byte| named(byte) || byte == b'/');
    plain.then_some((host, path, query))
}

/// The pairs of a query that is encoded already, in order.
fn canonical_query(query: &str) -> Option<String> {
    let mut pairs: Vec<(&str, &str)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .collect();
    if !pairs.iter().all(|(name, value)| is_encoded(name) && is_encoded(value)) {
        return None;
    }
    pairs.sort_unstable();
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    Some(pairs.join("&"))
}

/// Whether a text is as encoding it for a signature would leave it. Letters beyond ASCII are left to the SDK.
fn is_encoded(text: &str) -> bool {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~' | b'.');
    let mut parts = text.split('%');
    let plain = |part: &str| part.bytes().all(unreserved);
    parts.next().is_none_or(plain)
        && parts.all(|part| {
            let Some((digits, rest)) = part.split_at_checked(2) else { return false };
            let byte = u8::from_str_radix(digits, 16);
            let upper = digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'A'..=b'F'));
            upper && byte.is_ok_and(|byte| byte.is_ascii() && !unreserved(byte)) && plain(rest)
        })
}

/// Whether a header's value has no spaces that a signature leaves out.
fn is_trimmed(value: &str) -> bool {
    !value.starts_with(' ') && !value.ends_with(' ') && !value.contains("  ")
}

/// `20261126T221628Z`
fn compact(at: SystemTime) -> String {
    let mut text = Timestamp::from_unix(DateTime::from(at).secs()).to_string();
    text.retain(|letter| letter != '-' && letter != ':');
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn request(url: &str, headers: &[(&'static str, &str)], body: &str) -> HttpRequest {
        let mut request = HttpRequest::new(aws_smithy_types::body::SdkBody::from(body));
        request.set_method(if body.is_empty() { "GET" } else { "POST" }).expect("a method");
        request.set_uri(url).expect("a URL");
        for (name, value) in headers {
            request.headers_mut().try_insert(*name, (*value).to_owned()).expect("a header");
        }
        request
    }

    /// Both signatures, each sorted by name: the plain one if there is one.
    fn both(request: &HttpRequest, s3: bool, token: Option<&str>, seconds: u64) -> (Option<Added>, Added) {
        let credentials = Credentials::new("AKIDEXAMPLE", "wJalr/K7MDENG+b", token.map(str::to_owned), None, "made up");
        let scope = Scope { region: "eu-central-1", service: if s3 { "s3" } else { "bedrock" }, paths_as_they_are: s3 };
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(seconds * 1000 + 999);
        let sorted = |mut added: Added| {
            added.sort();
            added
        };
        let theirs = by_sdk(request, &Identity::from(credentials.clone()), &scope, now).expect("a signature");
        (plain(request, &credentials, &scope, &LastKey::default(), now).map(sorted), sorted(theirs))
    }

    #[test]
    fn what_a_sweep_asks_is_plain_and_the_rest_is_not_taken_for_it() {
        let json = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", "SageMaker.ListModels")];
        let plain = [
            ("https://api.sagemaker.eu-central-1.amazonaws.com/", "{}"),
            ("https://sts.eu-central-1.amazonaws.com", "Action=AssumeRole&Version=2011-06-15"),
            ("http://127.0.0.1:4999/guardrails?nextToken=a%2Bb%3D%3D&maxResults=100", ""),
            ("http://127.0.0.1:4999/some-bucket?object-lock", ""),
            ("https://b.c.s3.eu-central-1.amazonaws.com/?a-b=2&a=1&a=", ""),
        ];
        for (url, body) in plain {
            for s3 in [false, true] {
                let (ours, theirs) = both(&request(url, &json, body), s3, Some("a/token+of=many"), 1_700_000_000);
                assert_eq!(ours, Some(theirs), "{url}");
            }
        }
        let other = [
            "https://x.amazonaws.com/a.b",
            "https://x.amazonaws.com//a",
            "https://x.amazonaws.com/a%2Fb",
            "https://x.amazonaws.com:443/",
            "http://x:80/",
            "https://x.amazonaws.com/?a=b+c",
            "https://x.amazonaws.com/?a=b=c",
            "https://x.amazonaws.com/?a=b/c",
            "https://x.amazonaws.com/?",
        ];
        for url in other {
            let (ours, theirs) = both(&request(url, &json, ""), false, None, 1_700_000_000);
            assert!(ours.is_none_or(|ours| ours == theirs), "{url}");
        }
        assert!(both(&request("https://x/", &[("x-amz-a", "two  spaces")], ""), false, None, 0).0.is_none());
        assert!(both(&request("https://x/", &[("user-agent", "locard")], ""), false, None, 0).0.is_none());
    }

    #[test]
    fn a_key_is_used_for_nothing_else() {
        let last = LastKey::default();
        let request = request("https://x.amazonaws.com/", &[], "{}");
        let made = |access_key: &str, region: &'static str, service: &'static str, day: u64| {
            let credentials = Credentials::new(access_key, format!("secret of {access_key}"), None, None, "made up");
            let scope = Scope { region, service, paths_as_they_are: false };
            let now = SystemTime::UNIX_EPOCH + Duration::from_secs(day * 86_400);
            let mut ours = plain(&request, &credentials, &scope, &last, now).expect("it is plain");
            let mut theirs = by_sdk(&request, &Identity::from(credentials), &scope, now).expect("a signature");
            ours.sort();
            theirs.sort();
            assert_eq!(ours, theirs, "{access_key} {region} {service} {day}");
        };
        for _ in 0..2 {
            made("A", "us-east-1", "logs", 20_000);
            made("A", "us-east-1", "logs", 20_001);
            made("A", "us-east-2", "logs", 20_001);
            made("A", "us-east-2", "kms", 20_001);
            made("B", "us-east-2", "kms", 20_001);
        }
    }

    proptest! {
        /// Whatever is taken for plain is signed as the SDK signs it.
        #[test]
        fn signatures_are_those_of_the_sdk(
            path in "(/[A-Za-z0-9_.~%2F-]{0,6}){0,3}",
            query in "([a-z-]{1,4}(=[A-Za-z0-9._~%2Fb+=-]{0,6})?&){0,3}[a-z]{0,3}",
            value in "[ a-zA-Z0-9;=/.-]{0,12}",
            body in "[ -~]{0,30}",
            s3: bool,
            token in proptest::option::of("[A-Za-z0-9/+=]{1,40}"),
            seconds in 0_u64..4_000_000_000,
        ) {
            let url = format!("https://host.example.com:8443{path}?{query}");
            let (ours, theirs) = both(&request(&url, &[("x-amz-target", &value)], &body), s3, token.as_deref(), seconds);
            prop_assert!(ours.is_none() || ours == Some(theirs), "{}", url);
        }
    }
}
