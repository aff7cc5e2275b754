//! Signature Version 4: whose key signed a request, for which service and region, and whether it really did.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

use std::borrow::Cow;
use std::fmt::Write as _;

use hmac::{Hmac, KeyInit, Mac};
use hyper::header::{HeaderName, HeaderValue};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};

use super::sessions::hex;
use super::{OTHER_DATE, OTHER_SIGNATURE, Refusal};
use crate::wire::Request;

/// How far the two clocks may be apart.
const SKEW_SECONDS: i64 = 300;

/// What the Authorization header says.
#[derive(Debug)]
pub(crate) struct Signature<'a> {
    pub(crate) access_key: &'a str,
    date: &'a str,
    pub(crate) region: &'a str,
    /// The name it is signed for.
    pub(crate) service: &'a str,
    headers: &'a str,
    signature: &'a str,
}

/// What a request is signed with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key<'a> {
    pub(crate) access_key: &'a str,
    pub(crate) secret: &'a str,
    pub(crate) token: Option<&'a str>,
}

impl<'a> Signature<'a> {
    pub(crate) fn read(request: &'a Request) -> Option<Self> {
        let rest = request.header("authorization")?.strip_prefix("AWS4-HMAC-SHA256 ")?;
        let part = |name: &str| {
            rest.split(',').find_map(|part| part.trim().strip_prefix(name)).and_then(|value| value.strip_prefix('='))
        };
        let mut scope = part("Credential")?.splitn(5, '/');
        let read = Self {
            access_key: scope.next()?,
            date: scope.next()?,
            region: scope.next()?,
            service: scope.next()?,
            headers: part("SignedHeaders")?,
            signature: part("Signature")?,
        };
        (scope.next()? == "aws4_request").then_some(read)
    }

    /// Whether the holder of the secret signed just this request, just now: with its host and every `x-amz-` header, for
    /// the day it says.
    pub(crate) fn verify(&self, request: &Request, secret: &str, now: Timestamp) -> Result<(), Refusal> {
        let stamp = request.header("x-amz-date").ok_or(Refusal::Dateless)?;
        let signed = signed_at(stamp).ok_or(Refusal::Dateless)?;
        let signs = |name: &str| self.headers.split(';').any(|signed| signed == name);
        let mut names = request.headers.keys().map(HeaderName::as_str);
        if !signs("host") || names.any(|name| name.starts_with("x-amz-") && !signs(name)) {
            return Err(Refusal::NotSigned);
        }
        if (now.as_second() - signed.as_second()).abs() > SKEW_SECONDS {
            return Err(Refusal::Skewed);
        }
        if stamp.get(..8) != Some(self.date) {
            return Err(Refusal::WrongSignature(OTHER_DATE));
        }
        let same = self.expected(request, secret, stamp)? == self.signature;
        if same { Ok(()) } else { Err(Refusal::WrongSignature(OTHER_SIGNATURE)) }
    }

    /// The signature this request should have.
    fn expected(&self, request: &Request, secret: &str, stamp: &str) -> Result<String, Refusal> {
        let canonical = self.canonical(request)?;
        let scope = format!("{}/{}/{}/aws4_request", self.date, self.region, self.service);
        let digest = hex(&Sha256::digest(canonical.as_bytes()));
        let to_sign = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}");
        let key = mac(format!("AWS4{secret}").as_bytes(), self.date);
        let key = mac(&mac(&mac(&key, self.region), self.service), "aws4_request");
        Ok(hex(&mac(&key, &to_sign)))
    }

    fn canonical(&self, request: &Request) -> Result<String, Refusal> {
        let path = if self.service == "s3" { Cow::from(&request.path) } else { encoded_again(&request.path) };
        let mut text = String::with_capacity(512);
        text.push_str(request.method.as_str());
        text.push('\n');
        text.push_str(if path.is_empty() { "/" } else { &path });
        text.push('\n');
        text.push_str(&sorted(&request.query));
        text.push('\n');
        for name in self.headers.split(';') {
            text.push_str(name);
            text.push(':');
            for (at, value) in request.headers.get_all(name).iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                let value = value.to_str().map_err(|_| Refusal::WrongSignature(OTHER_SIGNATURE))?;
                for (at, word) in value.split_ascii_whitespace().enumerate() {
                    if at > 0 {
                        text.push(' ');
                    }
                    text.push_str(word);
                }
            }
            text.push('\n');
        }
        text.push('\n');
        text.push_str(self.headers);
        text.push('\n');
        match request.header("x-amz-content-sha256") {
            // The digests of single chunks are not looked at.
            Some(said) if said.starts_with("UNSIGNED-") || said.starts_with("STREAMING-") => text.push_str(said),
            said => {
                let digest = hex(&Sha256::digest(&request.body));
                if said.is_some_and(|said| said != digest) {
                    return Err(Refusal::WrongSignature(OTHER_SIGNATURE));
                }
                text.push_str(&digest);
            }
        }
        Ok(text)
    }
}

/// Signs a request whose host header is set: adds the headers that a signature needs, and it.
pub(crate) fn sign(request: &mut Request, key: &Key<'_>, service: &str, region: &str, now: Timestamp) {
    let stamp = now.strftime("%Y%m%dT%H%M%SZ").to_string();
    let digest = hex(&Sha256::digest(&request.body));
    let mut put = |name: &'static str, value: &str| {
        // None of these holds anything but visible ASCII.
        if let Ok(value) = HeaderValue::from_str(value) {
            request.headers.insert(name, value);
        }
    };
    put("x-amz-date", &stamp);
    put("x-amz-content-sha256", &digest);
    if let Some(token) = key.token {
        put("x-amz-security-token", token);
    }
    let names = request.headers.keys().map(HeaderName::as_str);
    let mut names: Vec<&str> = names.filter(|name| *name == "host" || name.starts_with("x-amz-")).collect();
    names.sort_unstable();
    let headers = names.join(";");
    let date = stamp.get(..8).unwrap_or_default();
    let unsigned = Signature { access_key: key.access_key, date, region, service, headers: &headers, signature: "" };
    let signature = unsigned.expected(request, key.secret, &stamp).unwrap_or_default();
    let scope = format!("{}/{date}/{region}/{service}/aws4_request", key.access_key);
    let header = format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={headers}, Signature={signature}");
    if let Ok(value) = HeaderValue::from_str(&header) {
        request.headers.insert("authorization", value);
    }
}

/// `20261124T101500Z`
fn signed_at(stamp: &str) -> Option<Timestamp> {
    let at = DateTime::strptime("%Y%m%dT%H%M%SZ", stamp).ok()?;
    TimeZone::UTC.to_timestamp(at).ok()
}

fn mac(key: &[u8], text: &str) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap_or_else(|_| unreachable!("keys of any length will do"));
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().into()
}

/// Every service but S3 signs the path encoded once more than it is sent.
fn encoded_again(path: &str) -> Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte);
    if path.bytes().all(plain) {
        return Cow::from(path);
    }
    let mut out = String::with_capacity(path.len() + 16);
    for byte in path.bytes() {
        if plain(byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    Cow::from(out)
}

/// The parameters by name, then by value, each with an equals sign; they are signed as they are sent.
fn sorted(query: &str) -> String {
    if query.is_empty() {
        return String::new();
    }
    let mut parts: Vec<(&str, &str)> = query
        .split('&')
        .filter(|part| !part.is_empty())
        .map(|part| part.split_once('=').unwrap_or((part, "")))
        .collect();
    parts.sort_unstable();
    parts.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Key<'_> = Key { access_key: "AKIA", secret: "secret", token: None };
    const NOW: &str = "2026-11-24T10:15:00Z";

    fn request() -> Request {
        let mut request = Request {
            method: hyper::Method::POST,
            path: "/".to_owned(),
            query: String::new(),
            headers: hyper::HeaderMap::new(),
            body: "{}".into(),
        };
        request.headers.insert("host", HeaderValue::from_static("simulated"));
        request.headers.insert("x-amz-target", HeaderValue::from_static("SageMaker.ListEndpoints"));
        request
    }

    fn refusal(request: &Request) -> Option<Refusal> {
        let now = NOW.parse().unwrap();
        Signature::read(request).unwrap().verify(request, KEY.secret, now).err()
    }

    /// Signed for a day, with some of its headers.
    fn signed(date: &str, headers: &str) -> Request {
        let mut request = request();
        let stamp = "20261124T101500Z";
        request.headers.insert("x-amz-date", HeaderValue::from_static(stamp));
        let unsigned =
            Signature { access_key: "AKIA", date, region: "us-east-1", service: "sagemaker", headers, signature: "" };
        let signature = unsigned.expected(&request, KEY.secret, stamp).unwrap();
        let said = format!(
            "AWS4-HMAC-SHA256 Credential=AKIA/{date}/us-east-1/sagemaker/aws4_request, SignedHeaders={headers}, \
             Signature={signature}"
        );
        request.headers.insert("authorization", HeaderValue::try_from(said).unwrap());
        request
    }

    #[test]
    fn a_signature_is_of_the_whole_request_and_of_its_day() {
        let mut whole = request();
        sign(&mut whole, &KEY, "sagemaker", "us-east-1", NOW.parse().unwrap());
        assert_eq!(refusal(&whole), None);
        let table = [
            ("20261124", "host;x-amz-date;x-amz-target", None),
            ("20261123", "host;x-amz-date;x-amz-target", Some(Refusal::WrongSignature(OTHER_DATE))),
            ("20261124", "x-amz-date;x-amz-target", Some(Refusal::NotSigned)),
            ("20261124", "host;x-amz-date", Some(Refusal::NotSigned)),
            ("20261124", "host;x-amz-target", Some(Refusal::NotSigned)),
        ];
        for (date, headers, wanted) in table {
            assert_eq!(refusal(&signed(date, headers)), wanted, "{date} {headers}");
        }
        let mut added = whole.clone();
        added.headers.insert("x-amz-meta-a", HeaderValue::from_static("added on the way"));
        assert_eq!(refusal(&added), Some(Refusal::NotSigned));
        let mut other = whole.clone();
        other.headers.insert("x-amz-target", HeaderValue::from_static("SageMaker.ListModels"));
        assert_eq!(refusal(&other), Some(Refusal::WrongSignature(OTHER_SIGNATURE)));
        for date in ["tomorrow", "2026-11-24T10:15:00Z"] {
            whole.headers.insert("x-amz-date", HeaderValue::from_static(date));
            assert_eq!(refusal(&whole), Some(Refusal::Dateless), "{date}");
        }
    }
}
