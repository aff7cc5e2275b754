//! Who calls, and whether they may: sessions, session policies, service control policies, regions.
//!
//! Whether a signature is right is decided in `signature`; what is answered to those who may, in `services`.

pub(crate) mod policy;
pub(crate) mod sessions;
pub(crate) mod signature;

use crate::estate::Account;
use crate::services::{AwsError, Call};
use crate::wire::Protocol;
use policy::matches;
use sessions::Session;

/// Whose credentials signed a request.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    /// The account the credentials belong to.
    pub(crate) account: String,
    /// `arn:aws:iam::123456789012:user/auditor` or `arn:aws:sts::123456789012:assumed-role/Role/session`.
    pub(crate) arn: String,
    /// What GetCallerIdentity calls UserId.
    pub(crate) user_id: String,
    /// Whether it is a session of a role.
    pub(crate) role: bool,
}

/// Why a request is refused before its service sees it. Each protocol, and within one some services, word these
/// differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No signature, or one that cannot be read.
    Unsigned,
    /// A key nobody has; or a session that is not valid in this region, was revoked, or is of a closed account.
    InvalidToken,
    Expired,
    /// No date, or one that cannot be read.
    Dateless,
    /// The signature leaves out the host or a header of AWS's own.
    NotSigned,
    /// It is not the one the request should have, in these words.
    WrongSignature(&'static str),
    /// The clocks of the two sides are too far apart.
    Skewed,
    /// The account was closed.
    Closed,
}

/// Which rule denies an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denial {
    ServiceControlPolicy,
    SessionPolicy,
    IdentityPolicy,
    /// The role's sessions were revoked: a policy denies those issued before.
    Revoked,
}

impl Refusal {
    /// As the service words it (<https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>,
    /// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html>,
    /// <https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html>).
    pub(crate) fn error(self, protocol: Protocol) -> AwsError {
        use Protocol::{Cbor, Ec2, Json, Query, RestJson, S3};
        const INVALID: &str = "The security token included in the request is invalid.";
        let json = if protocol == RestJson { 403 } else { 400 };
        let (code, status, message) = match (self, protocol) {
            (Self::Unsigned, S3) => ("AccessDenied", 403, "Access Denied"),
            (Self::Unsigned, Json | RestJson) => {
                ("MissingAuthenticationTokenException", json, "Missing Authentication Token")
            }
            (Self::Unsigned, _) => ("MissingAuthenticationToken", 403, "Request is missing Authentication Token"),
            (Self::InvalidToken, S3) => ("InvalidToken", 400, "The provided token is malformed or otherwise invalid."),
            (Self::InvalidToken, Ec2) => {
                ("AuthFailure", 401, "AWS was not able to validate the provided access credentials")
            }
            (Self::InvalidToken, Query | Cbor) => ("InvalidClientTokenId", 403, INVALID),
            (Self::InvalidToken, Json | RestJson) => ("UnrecognizedClientException", json, INVALID),
            (Self::Expired, S3) => ("ExpiredToken", 400, "The provided token has expired."),
            (Self::Expired, Ec2) => ("RequestExpired", 400, "Request has expired."),
            (Self::Expired, Query | Cbor) => {
                ("ExpiredToken", 403, "The security token included in the request is expired")
            }
            (Self::Expired, Json | RestJson) => {
                ("ExpiredTokenException", json, "The security token included in the request is expired")
            }
            (Self::Dateless, S3) => {
                ("AccessDenied", 403, "AWS authentication requires a valid Date or x-amz-date header")
            }
            (Self::Dateless, Json | RestJson) => ("IncompleteSignatureException", json, NO_DATE),
            (Self::Dateless, _) => ("IncompleteSignature", 400, NO_DATE),
            (Self::NotSigned, S3) => {
                ("AccessDenied", 403, "There were headers present in the request which were not signed")
            }
            (Self::NotSigned | Self::WrongSignature(_), Ec2) => {
                ("AuthFailure", 401, "AWS was not able to validate the provided access credentials")
            }
            (Self::NotSigned, Json | RestJson) => ("InvalidSignatureException", json, NOT_SIGNED),
            (Self::NotSigned, _) => ("SignatureDoesNotMatch", 403, NOT_SIGNED),
            (Self::WrongSignature(said), Json | RestJson) => ("InvalidSignatureException", json, said),
            (Self::WrongSignature(said), _) => ("SignatureDoesNotMatch", 403, said),
            (Self::Skewed, S3) => (
                "RequestTimeTooSkewed",
                403,
                "The difference between the request time and the current time is too large.",
            ),
            (Self::Skewed, Ec2) => ("RequestExpired", 400, "Request has expired."),
            (Self::Skewed, Query | Cbor) => ("SignatureDoesNotMatch", 403, "Signature expired: it is too old"),
            (Self::Skewed, Json | RestJson) => ("InvalidSignatureException", json, "Signature expired: it is too old"),
            (Self::Closed, S3) => (
                "AccountProblem",
                403,
                "There is a problem with your AWS account that prevents the action from completing successfully.",
            ),
            (Self::Closed, Ec2) => {
                ("Blocked", 403, "This account is currently blocked and not recognized as a valid account.")
            }
            (Self::Closed, Query | Cbor) => ("InvalidClientTokenId", 403, INVALID),
            (Self::Closed, Json | RestJson) => ("UnrecognizedClientException", json, INVALID),
        };
        AwsError::new(code, status, message)
    }
}

const NO_DATE: &str = "Date must be in ISO-8601 'basic format'.";
const NOT_SIGNED: &str = "'Host' or ':authority', and every 'X-Amz-' header, must be a 'SignedHeader' in the AWS \
                          Authorization.";
pub(crate) const OTHER_DATE: &str =
    "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP.";
pub(crate) const OTHER_REGION: &str = "Credential should be scoped to a valid region.";
pub(crate) const OTHER_SERVICE: &str = "Credential should be scoped to correct service.";
pub(crate) const OTHER_SIGNATURE: &str = "The request signature we calculated does not match the signature you provided. \
                               Check your AWS Secret Access Key and signing method.";

/// The IAM action that permits an operation; S3's have names of their own
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html>).
pub(crate) fn action(service: &str, operation: &str) -> String {
    let (prefix, name) = match (service, operation) {
        ("bedrock-agent", _) => ("bedrock", operation),
        ("s3", "ListBuckets") => ("s3", "ListAllMyBuckets"),
        ("s3", "GetObjectLockConfiguration") => ("s3", "GetBucketObjectLockConfiguration"),
        ("s3", "GetBucketEncryption") => ("s3", "GetEncryptionConfiguration"),
        ("s3", "GetBucketLifecycleConfiguration") => ("s3", "GetLifecycleConfiguration"),
        ("s3", "GetBucketReplication") => ("s3", "GetReplicationConfiguration"),
        ("s3", "GetPublicAccessBlock") => ("s3", "GetBucketPublicAccessBlock"),
        ("s3", "HeadBucket" | "ListObjects" | "ListObjectsV2") => ("s3", "ListBucket"),
        ("s3", "ListObjectVersions") => ("s3", "ListBucketVersions"),
        ("s3", "HeadObject") => ("s3", "GetObject"),
        ("s3", "DeleteObjects") => ("s3", "DeleteObject"),
        ("s3", "CopyObject" | "CreateMultipartUpload" | "UploadPart" | "CompleteMultipartUpload") => {
            ("s3", "PutObject")
        }
        _ => (service, operation),
    };
    format!("{prefix}:{name}")
}

/// Why the call is denied, if it is: in the order AWS evaluates, an explicit deny first.
pub(crate) fn denied(account: &Account, session: &Session, call: &Call<'_>) -> Option<Denial> {
    // Needs no permission and cannot be denied.
    if (call.service, call.operation) == ("sts", "GetCallerIdentity") {
        return None;
    }
    let action = action(call.service, call.operation);
    let refused = &account.refused;
    let in_refused_region = !global(call.service) && refused.regions.iter().any(|region| region == call.region);
    if in_refused_region || refused.actions.iter().any(|pattern| matches(pattern, &action)) {
        return Some(Denial::ServiceControlPolicy);
    }
    if session.policy.as_ref().is_some_and(|policy| !policy.allows(&action)) {
        return Some(Denial::SessionPolicy);
    }
    if call.caller.role && account.role.denied.iter().any(|pattern| matches(pattern, &action)) {
        return Some(Denial::IdentityPolicy);
    }
    None
}

/// The one region that a service is signed for, where there is one
/// (<https://docs.aws.amazon.com/general/latest/gr/ao.html>).
pub(crate) fn home(service: &str) -> Option<&'static str> {
    matches!(service, "organizations" | "account").then_some("us-east-1")
}

/// Services that policies which deny regions leave out, for they live in one region only.
pub(crate) fn global(service: &str) -> bool {
    matches!(service, "organizations" | "account" | "sts")
}

impl Denial {
    pub(crate) fn error(self, protocol: Protocol, call: &Call<'_>) -> AwsError {
        let action = action(call.service, call.operation);
        let because = match self {
            Self::ServiceControlPolicy => "with an explicit deny in a service control policy".to_owned(),
            Self::SessionPolicy => format!("because no session policy allows the {action} action"),
            Self::IdentityPolicy => format!("because no identity-based policy allows the {action} action"),
            Self::Revoked => "with an explicit deny in an identity-based policy".to_owned(),
        };
        let who = &call.caller.arn;
        let on = match call.text("Bucket") {
            Some(bucket) => format!("arn:aws:s3:::{bucket}"),
            None => format!("arn:aws:{}:{}:{}:*", call.service, call.region, call.account),
        };
        let said = format!("User: {who} is not authorized to perform: {action} on resource: {on} {because}");
        match protocol {
            Protocol::Ec2 => {
                let said = format!("You are not authorized to perform this operation. {said}");
                AwsError::new("UnauthorizedOperation", 403, said)
            }
            Protocol::S3 | Protocol::Query | Protocol::Cbor => AwsError::new("AccessDenied", 403, said),
            Protocol::RestJson => AwsError::new("AccessDeniedException", 403, said),
            Protocol::Json => AwsError::new("AccessDeniedException", 400, said),
        }
    }
}
