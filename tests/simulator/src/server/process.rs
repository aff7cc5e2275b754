//! What becomes of a request: who calls, what goes wrong on purpose, whether it is one too many, whether it is
//! allowed, and only then what the service answers.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value};

use super::State;
use crate::access::sessions::Session;
use crate::access::signature::Signature;
use crate::access::{self, Denial, Refusal};
use crate::faults::pages::{self, Came};
use crate::faults::{Kind, Strike, Target};
use crate::journal::Entry;
use crate::limits;
use crate::services::{self, Answer, AwsError, Call, Outcome, sts};
use crate::wire::{self, Asked, Protocol, Reply, Request};

/// A request that was dealt with.
pub(super) struct Processed {
    pub(super) entry: Entry,
    pub(super) reply: Reply,
    pub(super) delivery: Delivery,
    /// How much longer than usual the answer takes to begin.
    pub(super) hang: Duration,
    /// Seconds the answer's Date is off.
    pub(super) skew: i64,
}

/// How an answer travels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Delivery {
    Whole,
    /// The connection is reset after half of it.
    Reset,
    /// It trickles.
    Slow(Duration),
    /// The connection is closed instead.
    Dropped,
}

/// A request, once it is known whose it is and what it asks for.
struct Known<'a> {
    signature: Signature<'a>,
    session: std::sync::Arc<Session>,
    asked: Asked,
    came: Came,
}

impl State {
    pub(super) fn process(&self, sequence: u64, request: &Request) -> Processed {
        let mut entry = Entry::default();
        let id = format!("{sequence:08x}-0000-4000-8000-000000000000");
        let mut strike = None;
        let (protocol, service, operation, outcome) = match self.known(request, &mut entry) {
            Err((protocol, error)) => (protocol, "", String::new(), Err(error)),
            Ok(known) => {
                let outcome = self.outcome(request, &known, &mut strike);
                (known.asked.protocol, known.asked.service, known.asked.operation, outcome)
            }
        };
        if let Err(error) = &outcome {
            entry.error = Some(error.code.clone());
        }
        let mut reply = wire::write(protocol, service, &operation, &id, outcome);
        let header = if protocol == Protocol::S3 { "x-amz-request-id" } else { "x-amzn-requestid" };
        reply.headers.push((header, id));
        let mut processed =
            Processed { entry, reply, delivery: Delivery::Whole, hang: Duration::ZERO, skew: self.settings.ahead };
        if let Some(strike) = strike {
            processed.entry.fault = Some(strike.kind);
            processed.spoil(strike);
        }
        if request.method == hyper::Method::HEAD {
            processed.reply.body = Bytes::new();
        }
        processed.entry.status = processed.reply.status;
        processed.entry.bytes = u32::try_from(processed.reply.body.len()).unwrap_or(u32::MAX);
        processed
    }

    /// Whose request it is and what it asks for.
    fn known<'a>(&self, request: &'a Request, entry: &mut Entry) -> Result<Known<'a>, (Protocol, AwsError)> {
        let Some(signature) = Signature::read(request) else {
            let protocol = wire::spoken(request).unwrap_or(Protocol::S3);
            return Err((protocol, Refusal::Unsigned.error(protocol)));
        };
        signature.region.clone_into(&mut entry.region);
        signature.service.clone_into(&mut entry.service);
        let Some((service, protocol)) = wire::service(signature.service, request) else {
            let message = format!("{} is not simulated", signature.service);
            let protocol = wire::spoken(request).unwrap_or(Protocol::RestJson);
            let code = if protocol == Protocol::Query { "InvalidAction" } else { "UnknownOperationException" };
            let status = if protocol == Protocol::RestJson { 404 } else { 400 };
            return Err((protocol, AwsError::new(code, status, message)));
        };
        service.clone_into(&mut entry.service);
        let refused = |refusal: Refusal| (protocol, refusal.error(protocol));
        let session = self.world.sessions.find(signature.access_key).ok_or(refused(Refusal::InvalidToken))?;
        session.identity.account.clone_into(&mut entry.account);
        if request.header("x-amz-security-token") != session.token.as_deref() {
            return Err(refused(Refusal::InvalidToken));
        }
        let now = self.world.now();
        signature.verify(request, &session.secret, now).map_err(refused)?;
        if wire::target(request).is_some_and(|target| target != service) {
            return Err((Protocol::Json, Refusal::WrongSignature(access::OTHER_SERVICE).error(Protocol::Json)));
        }
        if access::home(service).is_some_and(|home| home != signature.region) {
            return Err(refused(Refusal::WrongSignature(access::OTHER_REGION)));
        }
        let mut asked = wire::read(service, protocol, request).map_err(|error| {
            // All that tells what was asked for.
            request.path.clone_into(&mut entry.resource);
            (protocol, error)
        })?;
        asked.operation.clone_into(&mut entry.operation);
        pages::token(&asked.input).clone_into(&mut entry.page);
        entry.resource = resource(&asked.input);
        if asked.service == "sts" && asked.operation == "AssumeRole" {
            let arn = asked.input.get("RoleArn").and_then(Value::as_str).unwrap_or_default();
            entry.enters = sts::account_of(arn).map(str::to_owned);
        }
        if session.expires.is_some_and(|expires| expires <= now) {
            return Err(refused(Refusal::Expired));
        }
        let came = pages::untangle(&mut asked.input);
        Ok(Known { signature, session, asked, came })
    }

    fn outcome(&self, request: &Request, known: &Known<'_>, strike: &mut Option<Strike>) -> Outcome {
        let Known { signature, session, asked, came } = known;
        let protocol = asked.protocol;
        let account = session.identity.account.as_str();
        let unchunked = unchunked(request, protocol)?;
        let mut call = Call {
            service: asked.service,
            protocol,
            operation: &asked.operation,
            input: asked.input.clone(),
            account,
            region: signature.region,
            caller: &session.identity,
            world: &self.world,
            body: unchunked.as_deref().unwrap_or(&request.body),
            headers: &request.headers,
        };
        let entered = call.text("RoleArn").filter(|_| call.service == "sts").and_then(sts::account_of);
        *strike = self.faults().strike(&Target {
            service: call.service,
            operation: call.operation,
            account: entered.unwrap_or(account),
            region: call.region,
            access_key: signature.access_key,
            input: &call.input,
        });
        let kind = strike.map(|strike| strike.kind);
        if let Some(error) = kind.and_then(|kind| refused(kind, protocol, &call)) {
            return Err(error);
        }
        if !self.buckets.take(account, call.region, call.service, call.operation) {
            return Err(limits::throttled(protocol, call.service));
        }
        let Some(inside) = self.world.estate.account(account) else {
            return Err(Refusal::InvalidToken.error(protocol));
        };
        // Organizations is asked in its one region, which every account has.
        if !inside.enabled(call.region) && !matches!(call.service, "organizations" | "account") {
            return Err(Refusal::InvalidToken.error(protocol));
        }
        if !self.world.estate.offers(call.region, call.service, call.operation) {
            return Err(AwsError::not_offered(&call));
        }
        if let Some(denial) = access::denied(inside, session, &call) {
            return Err(denial.error(protocol, &call));
        }
        // Roles and organizations do not come and go within a sweep.
        if kind == Some(Kind::Vanished) && !matches!(call.service, "sts" | "organizations") {
            return vanished(&mut call);
        }
        let mut outcome = services::answer(&call);
        if let (Ok(answer), Some(kind)) = (&mut outcome, kind) {
            pages::tangle(answer, kind, *came, pages::of(call.service, call.operation), pages::token(&call.input));
            if kind == Kind::EmptyObject {
                emptied(answer, call.operation);
            }
        }
        outcome
    }
}

/// What is asked for: the texts among the members of an input, tokens and names of sessions apart.
fn resource(input: &Value) -> String {
    let quiet = |name: &str| {
        pages::TOKENS.contains(&name) || matches!(name, "Policy" | "RoleSessionName" | "ExpectedBucketOwner")
    };
    let members = input.as_object().into_iter().flatten();
    let texts = members.filter(|(name, _)| !quiet(name)).filter_map(|(_, value)| match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(_) | Value::Object(_) => Some(value.to_string()),
        _ => None,
    });
    texts.collect::<Vec<_>>().join(" ")
}

/// The payload of an upload sent in chunks.
fn unchunked(request: &Request, protocol: Protocol) -> Result<Option<Vec<u8>>, AwsError> {
    let streamed = request.header("x-amz-content-sha256").is_some_and(|said| said.starts_with("STREAMING-"));
    if protocol != Protocol::S3 || !streamed {
        return Ok(None);
    }
    let payload = wire::unchunked(&request.body);
    payload.map(Some).ok_or_else(|| AwsError::new("IncompleteBody", 400, "The chunks of the body are not whole"))
}

/// The error a fault answers with before the service is asked.
fn refused(kind: Kind, protocol: Protocol, call: &Call<'_>) -> Option<AwsError> {
    // Needs no permission and cannot be denied.
    let deniable = call.operation != "GetCallerIdentity";
    Some(match kind {
        Kind::Throttle => limits::throttled(protocol, call.service),
        Kind::Error500 => {
            let code = match protocol {
                Protocol::S3 | Protocol::Ec2 => "InternalError",
                Protocol::Query | Protocol::Cbor => "InternalFailure",
                Protocol::Json | Protocol::RestJson => "InternalServerException",
            };
            AwsError::new(code, 500, "We encountered an internal error. Please try again.")
        }
        Kind::ExpiredSession => Refusal::Expired.error(protocol),
        Kind::RevokedSession if deniable => Denial::Revoked.error(protocol, call),
        Kind::Denied if deniable => Denial::IdentityPolicy.error(protocol, call),
        Kind::ScpDenied if deniable && !access::global(call.service) => {
            Denial::ServiceControlPolicy.error(protocol, call)
        }
        Kind::AccountClosed if call.operation == "AssumeRole" => Denial::IdentityPolicy.error(protocol, call),
        Kind::AccountClosed => Refusal::Closed.error(protocol),
        Kind::SkewRefused => Refusal::Skewed.error(protocol),
        _ => return None,
    })
}

/// Asks for something of another name, so that the service says in its own words that it is not there.
fn vanished(call: &mut Call<'_>) -> Outcome {
    const GONE: &str = "-gone";
    if let Value::Object(members) = &mut call.input {
        let named = members.iter_mut().filter(|(name, _)| !pages::TOKENS.contains(&name.as_str()));
        named.for_each(|(_, value)| rename(value, GONE));
    }
    services::answer(call).map_err(|error| AwsError { message: error.message.replace(GONE, ""), ..error })
}

fn rename(value: &mut Value, suffix: &str) {
    match value {
        Value::String(text) => text.push_str(suffix),
        Value::Array(items) => items.iter_mut().for_each(|item| rename(item, suffix)),
        _ => {}
    }
}

/// Takes all members out of an answer. Answers that may rightly have none stay as they are.
fn emptied(answer: &mut Answer, operation: &str) {
    if !operation.starts_with("List") && !operation.starts_with("Describe") {
        return;
    }
    match answer {
        Answer::Json(value) => *value = Value::Object(Map::new()),
        Answer::Xml(element) => element.clear(),
        Answer::Bytes { body, .. } => *body = Bytes::new(),
    }
}

impl Processed {
    /// What a fault does to an answer on its way.
    fn spoil(&mut self, strike: Strike) {
        let over = Duration::try_from_secs_f64(strike.seconds).unwrap_or_default();
        let body = &mut self.reply.body;
        match strike.kind {
            Kind::Reset => self.delivery = Delivery::Reset,
            Kind::Dropped => self.delivery = Delivery::Dropped,
            Kind::Truncate => *body = body.slice(..body.len() / 2),
            Kind::Malformed => *body = malformed(body, strike.pick),
            Kind::Slow => self.delivery = Delivery::Slow(over),
            Kind::Hang => self.hang = over,
            Kind::Skew => self.skew = strike.seconds as i64,
            _ => {}
        }
    }
}

/// Something that no protocol would say: a page of a proxy, members of other types, or noise.
fn malformed(body: &Bytes, pick: u64) -> Bytes {
    const PAGE: &[u8] = b"<html><head><title>Please wait</title></head><body>Please wait</body></html>";
    const NOISE: &[u8] = b"\x00\xff\xfe{\"<";
    let other = match serde_json::from_slice::<Value>(body) {
        Ok(Value::Object(mut members)) if pick.is_multiple_of(3) => {
            let nested = members.values_mut().filter(|value| value.is_array() || value.is_object());
            let changed = nested.map(|value| *value = Value::from("something else")).count();
            (changed > 0).then(|| Bytes::from(Value::Object(members).to_string()))
        }
        _ => None,
    };
    other.unwrap_or(Bytes::from_static(if pick % 3 == 1 { PAGE } else { NOISE }))
}
