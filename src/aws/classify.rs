//! What a failed call means: every error of the SDK becomes one of the reasons a fact can be unknown, and one of the
//! ways to go on.
//!
//! Answers that mean "there is none" are no failures; the collectors name their codes. How often is tried is `call`'s.

use std::error::Error;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::aws::answer::Incomplete;
use crate::aws::wire::seconds_ahead;
use crate::model::observed::Why;

/// Longest message kept of what AWS said.
const MESSAGE_CHARS: usize = 300;

/// What a failure means for the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It was answered, and would be answered the same again.
    Final,
    /// AWS asks for fewer requests.
    Throttled,
    /// AWS failed; it may not the next time.
    Faulty,
    /// The answer was cut off, or no answer of this protocol.
    Garbled,
    /// Nothing came back.
    Silent,
    /// It was signed with a time that is not AWS's; the host's clock is so many seconds ahead.
    OutOfTime(i64),
    /// The credentials are past their time.
    Expired,
    /// The credentials are not known here: the region is not enabled, or they were revoked.
    Unrecognized,
    /// The role's own policies deny it outright, as they do all that a session may that was made before its role's
    /// sessions were revoked.
    Forbidden,
    /// Nothing was sent: the mistake is here.
    Unsent,
}

/// What an error means for the next attempt. `ahead`: what the host's clock was taken to be ahead by, in seconds, when the
/// request was signed.
pub(crate) fn verdict<E>(error: &SdkError<E, HttpResponse>, ahead: i64) -> Verdict
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::TimeoutError(_) => Verdict::Silent,
        SdkError::DispatchFailure(failure) if failure.is_io() || failure.is_timeout() => Verdict::Silent,
        // A connection that closed before the answer, which the SDK knows as passing and as nothing else.
        SdkError::DispatchFailure(failure) if failure.as_other().is_some() => Verdict::Silent,
        SdkError::DispatchFailure(_) | SdkError::ConstructionFailure(_) => Verdict::Unsent,
        SdkError::ResponseError(response) => {
            let status = response.raw().status();
            match incomplete(error.source()) {
                // A member AWS leaves out it leaves out again.
                Some(Incomplete::Lacks(_)) if status.is_success() => Verdict::Final,
                // Whatever it was to say: the code of an error was in what did not come.
                Some(Incomplete::BrokenOff) => match of_status(status.as_u16()) {
                    verdict @ (Verdict::Throttled | Verdict::Faulty) => verdict,
                    _ => Verdict::Garbled,
                },
                _ => without_code(response.raw()),
            }
        }
        SdkError::ServiceError(service) => {
            let status = service.raw().status().as_u16();
            let code = service.err().code().map(|code| code.strip_prefix("Client.").unwrap_or(code));
            let out_of_time = code.filter(|code| OUT_OF_TIME.contains(code)).and_then(|_| off(service.raw(), ahead));
            if let Some(seconds) = out_of_time {
                return Verdict::OutOfTime(seconds);
            }
            match code {
                Some(code) if EXPIRED.contains(&code) => Verdict::Expired,
                Some(code) if THROTTLES.contains(&code) => Verdict::Throttled,
                // It is the account that has it switched off; the credentials are as good as ever.
                Some(STS_SWITCHED_OFF) => Verdict::Final,
                Some(code) if of_code(code, "") == Some(Why::Denied) && forbids(service.err().message()) => {
                    Verdict::Forbidden
                }
                Some(code) if of_code(code, "") == Some(Why::RegionDisabled) => Verdict::Unrecognized,
                Some("RequestTimeout" | "RequestTimeoutException") => Verdict::Faulty,
                Some(_) => of_status(status),
                None => without_code(service.raw()),
            }
        }
        _ => Verdict::Final,
    }
}

/// Who denies without a code may be somebody on the way, who may let the next request pass.
fn without_code(response: &HttpResponse) -> Verdict {
    match response.status().as_u16() {
        403 if !is_of_aws(response) => Verdict::Faulty,
        status => of_status(status),
    }
}

fn of_status(status: u16) -> Verdict {
    match status {
        200..300 => Verdict::Garbled,
        429 => Verdict::Throttled,
        408 | 500 | 502..=504 => Verdict::Faulty,
        _ => Verdict::Final,
    }
}

/// What an answer lacks, where that is the cause of an error.
fn incomplete<'a>(mut error: Option<&'a (dyn Error + 'static)>) -> Option<&'a Incomplete> {
    while let Some(cause) = error {
        if let Some(incomplete) = cause.downcast_ref() {
            return Some(incomplete);
        }
        error = cause.source();
    }
    None
}

/// What STS answers for an account that has it switched off in the region asked
/// (<https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>).
pub(crate) const STS_SWITCHED_OFF: &str = "RegionDisabledException";

/// How IAM's "revoke active sessions" denies, like any explicit deny of the role
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_revoke-sessions.html>).
fn forbids(message: Option<&str>) -> bool {
    message.is_some_and(|message| contains(message, "with an explicit deny in an identity-based policy"))
}

/// Whether AWS itself answered, and not a proxy on the way that denies in its name: it numbers its answers, or names the
/// kind of error (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-request-id.html>).
fn is_of_aws(response: &HttpResponse) -> bool {
    let marks = ["x-amzn-requestid", "x-amz-request-id", "x-amzn-errortype", "x-amz-apigw-id"];
    marks.iter().any(|name| response.headers().get(*name).is_some())
}

/// Codes by which services refuse a signature, of which a wrong clock is one cause.
const OUT_OF_TIME: &[&str] =
    &["RequestTimeTooSkewed", "RequestExpired", "InvalidSignatureException", "SignatureDoesNotMatch", "AuthFailure"];
/// A smaller difference refuses nothing: AWS bears five minutes
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html>).
const OFF_SECONDS: u64 = 240;

/// What the host's clock is ahead by, where that is not what the request was signed with.
fn off(response: &HttpResponse, ahead: i64) -> Option<i64> {
    seconds_ahead(response).filter(|seconds| seconds.abs_diff(ahead) > OFF_SECONDS)
}

/// Codes by which services say that a session is past its time.
const EXPIRED: &[&str] = &["ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"];

/// A failure, reduced to what tells its class.
#[derive(Clone, Copy, Debug, Default)]
struct Failure<'a> {
    /// The error code without namespace; services that deny through a gateway send none.
    code: Option<&'a str>,
    status: Option<u16>,
    /// It is AWS that answered.
    by_aws: bool,
    message: &'a str,
}

/// The error code AWS sent, if it sent one.
pub(crate) fn code<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Option<&str> {
    match error {
        SdkError::ServiceError(service) => service.err().code(),
        _ => None,
    }
}

/// The class of an error, and what was said, shortened.
pub(crate) fn classify<E>(error: &SdkError<E, HttpResponse>) -> (Why, String)
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::TimeoutError(_) => (Why::TimedOut, "no answer in time".to_owned()),
        SdkError::DispatchFailure(failure) => {
            let text = chain(failure.as_connector_error().map(|e| e as &(dyn Error + 'static)));
            let why = if failure.is_timeout() {
                Why::TimedOut
            } else if no_such_host(&text) {
                Why::ServiceAbsent
            } else {
                Why::Failed
            };
            (why, shorten(&text))
        }
        SdkError::ConstructionFailure(_) => (Why::Failed, shorten(&chain(error.source()))),
        // Only an answer that arrived can fail like this: cut off, or not what the protocol says. Errors among them
        // still have a status, as of a gateway that denies in a form of its own.
        SdkError::ResponseError(response) => match (response.raw().status(), incomplete(error.source())) {
            (status, Some(Incomplete::BrokenOff)) if !status.is_success() => {
                (Why::Malformed, format!("HTTP {}, and the answer breaks off", status.as_u16()))
            }
            (status, _) if status.is_success() => (Why::Malformed, shorten(&chain(error.source()))),
            (status, _) => {
                let by_aws = is_of_aws(response.raw());
                let failure = Failure { status: Some(status.as_u16()), by_aws, ..Failure::default() };
                (failure.why(), format!("HTTP {}", status.as_u16()))
            }
        },
        SdkError::ServiceError(service) => {
            let status = service.raw().status();
            let said = service.err().message();
            if status.is_success() {
                return (Why::Malformed, shorten(&said.map_or_else(|| chain(Some(service.err())), str::to_owned)));
            }
            let failure = Failure {
                code: service.err().code(),
                status: Some(status.as_u16()),
                by_aws: is_of_aws(service.raw()),
                message: said.unwrap_or(""),
            };
            let text = match (failure.code, said) {
                (Some(code), Some(said)) => format!("{code}: {said}"),
                (Some(code), None) => code.to_owned(),
                (None, Some(said)) => format!("HTTP {}: {said}", status.as_u16()),
                (None, None) => format!("HTTP {}", status.as_u16()),
            };
            (failure.why(), shorten(&text))
        }
        _ => (Why::Failed, shorten(&chain(Some(error)))),
    }
}

impl Failure<'_> {
    fn why(self) -> Why {
        let by_code = self.code.and_then(|code| of_code(code, self.message));
        match (by_code, self.code, self.status) {
            (Some(Why::Denied), _, _) | (None, None, Some(403)) if by_scp(self.message) => Why::DeniedByScp,
            (Some(why), _, _) => why,
            // Services whose denials come from a gateway send no code their protocol knows.
            (None, None, Some(403)) if self.by_aws => Why::Denied,
            (None, _, Some(429)) => Why::Throttled,
            (None, _, Some(408 | 504)) => Why::TimedOut,
            (None, _, _) => Why::Failed,
        }
    }
}

/// The classes of the codes AWS services use, which differ by protocol and age of the service
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html> and the like).
fn of_code(code: &str, message: &str) -> Option<Why> {
    let code = code.strip_prefix("Client.").unwrap_or(code);
    Some(match code {
        "UnauthorizedOperation"
        | "AuthorizationError"
        | "AuthorizationErrorException"
        | "NotAuthorized"
        | "AuthorizationException"
        | "UnauthorizedException"
        | "AllAccessDisabled" => Why::Denied,
        _ if code.starts_with("AccessDenied") => Why::Denied,
        _ if THROTTLES.contains(&code) => Why::Throttled,
        "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "AuthFailure"
        | "InvalidAccessKeyId"
        | "InvalidToken"
        | STS_SWITCHED_OFF => Why::RegionDisabled,
        "OptInRequired" | "SubscriptionRequiredException" => Why::NotSubscribed,
        "UnknownOperationException" | "UnsupportedOperationInRegion" => Why::ServiceAbsent,
        "RequestTimeout" | "RequestTimeoutException" => Why::TimedOut,
        "NoSuchBucket" | "TrailNotFoundException" => Why::Vanished,
        _ if code.starts_with("ResourceNotFound") => Why::Vanished,
        // How SageMaker says it, in other words for each kind of resource.
        "ValidationException" if NOT_THERE.iter().any(|said| contains(message, said)) => Why::Vanished,
        // How Bedrock answers a list where it does not exist.
        "ValidationException" if NO_OPERATION.iter().any(|said| contains(message, said)) => Why::ServiceAbsent,
        _ => return None,
    })
}

/// What validation errors say of a resource that is not there.
const NOT_THERE: &[&str] = &["could not find", "not found", "recordnotfound", "does not exist"];

/// What Bedrock's say of an operation that is not there.
const NO_OPERATION: &[&str] = &["unknown operation", "operation unknown", "operation is not recognized by the service"];

/// Codes by which services ask for fewer requests.
const THROTTLES: &[&str] = &[
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
];

/// Whether one answer, by status and raw body, asks for fewer requests; for counting.
pub(crate) fn throttles(status: u16, body: &[u8]) -> bool {
    let beginning = String::from_utf8_lossy(body.get(..body.len().min(2048)).unwrap_or(&[]));
    status == 429 || (status >= 400 && THROTTLES.iter().any(|code| beginning.contains(code)))
}

/// AWS names the kind of policy in the message alone
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>).
fn by_scp(message: &str) -> bool {
    contains(message, "service control policy")
}

/// What resolvers of the common systems say of a name that does not exist. "Try again" is not among them: a network
/// that is down must not look like a region without the service.
fn no_such_host(text: &str) -> bool {
    [
        "name or service not known",
        "no address associated with hostname",
        "nodename nor servname",
        "no such host is known",
    ]
    .iter()
    .any(|said| contains(text, said))
}

fn contains(text: &str, lower: &str) -> bool {
    text.to_ascii_lowercase().contains(lower)
}

/// An error and its causes in one line.
pub(crate) fn chain(error: Option<&(dyn Error + 'static)>) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut next = error;
    while let Some(error) = next {
        if error.is::<Incomplete>() {
            return error.to_string();
        }
        let text = error.to_string();
        if !parts.iter().any(|part| part.contains(&text)) {
            parts.push(text);
        }
        next = error.source();
    }
    parts.join(": ")
}

/// At most a few hundred characters of it: the beginning, and the end, where AWS says which policy denies.
pub(crate) fn shorten(text: &str) -> String {
    let length = text.chars().count();
    if length <= MESSAGE_CHARS {
        return text.to_owned();
    }
    let end = MESSAGE_CHARS / 3;
    text.chars().take(MESSAGE_CHARS - end).chain(['…']).chain(text.chars().skip(length - end)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_of_errors() {
        let table: &[(Option<&str>, u16, &str, Why)] = &[
            (Some("AccessDenied"), 403, "", Why::Denied),
            (Some("AccessDeniedException"), 400, "User is not authorized", Why::Denied),
            (Some("AccessDeniedException"), 400, "with an explicit deny in a service control policy", Why::DeniedByScp),
            (Some("UnauthorizedOperation"), 403, "", Why::Denied),
            (Some("Client.UnauthorizedOperation"), 403, "", Why::Denied),
            (None, 403, "", Why::Denied),
            (None, 403, "explicit deny in a Service Control Policy", Why::DeniedByScp),
            (Some("SignatureDoesNotMatch"), 403, "", Why::Failed),
            (Some("ExpiredToken"), 403, "", Why::Failed),
            (Some("RequestLimitExceeded"), 503, "", Why::Throttled),
            (Some("SlowDown"), 503, "", Why::Throttled),
            (None, 429, "", Why::Throttled),
            (Some("UnrecognizedClientException"), 400, "", Why::RegionDisabled),
            (Some("AuthFailure"), 401, "", Why::RegionDisabled),
            (Some("OptInRequired"), 403, "", Why::NotSubscribed),
            (Some("UnknownOperationException"), 400, "", Why::ServiceAbsent),
            (Some("ValidationException"), 400, "Could not find endpoint \"arn\"", Why::Vanished),
            (Some("ValidationException"), 400, "Requested resource not found.", Why::Vanished),
            (Some("ValidationException"), 400, "RecordNotFound", Why::Vanished),
            (Some("ValidationException"), 400, "1 validation error detected", Why::Failed),
            (Some("ResourceNotFound"), 400, "", Why::Vanished),
            (Some("NoSuchBucket"), 404, "", Why::Vanished),
            (Some("InternalServerError"), 500, "", Why::Failed),
            (None, 500, "", Why::Failed),
            (None, 404, "", Why::Failed),
        ];
        for (code, status, message, wanted) in table {
            let failure = Failure { code: *code, status: Some(*status), by_aws: true, message };
            assert_eq!(failure.why(), *wanted, "{failure:?}");
        }
    }

    #[test]
    fn statuses_tell_whether_to_try_again() {
        let table = [
            (200, Verdict::Garbled),
            (404, Verdict::Final),
            (429, Verdict::Throttled),
            (500, Verdict::Faulty),
            (501, Verdict::Final),
            (503, Verdict::Faulty),
        ];
        for (status, wanted) in table {
            assert_eq!(of_status(status), wanted, "{status}");
        }
    }

    #[test]
    fn throttles_are_seen_in_the_raw_answer() {
        assert!(throttles(400, br#"{"__type":"ThrottlingException"}"#));
        assert!(throttles(503, b"<Error><Code>SlowDown</Code></Error>"));
        assert!(!throttles(200, br#"{"name":"ThrottlingException"}"#));
        assert!(!throttles(400, b"{}"));
    }

    #[test]
    fn a_network_that_is_down_is_no_absent_service() {
        assert!(no_such_host("dns error: failed to lookup address information: Name or service not known"));
        assert!(!no_such_host("dns error: failed to lookup address information: Temporary failure in name resolution"));
        assert!(!no_such_host("tcp connect error: Connection refused (os error 111)"));
    }
}
