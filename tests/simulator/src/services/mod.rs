//! What each service answers: one file a service, one function `answer` from a call to an outcome.
//!
//! How calls arrive and answers leave is in `wire`; who may call, how often and what goes wrong on purpose is in
//! `access`, `limits` and `faults`.

use hyper::HeaderMap;
use serde_json::{Value, json};

use crate::access::Identity;
use crate::wire::Protocol;
use crate::wire::xml::Element;
use crate::world::World;

mod account;
mod bedrock;
mod bedrockagent;
mod cloudtrail;
mod cloudwatch;
mod ec2;
mod kms;
mod listing;
mod logs;
pub(crate) mod objects;
mod organizations;
mod s3;
mod sagemaker;
pub(crate) mod sts;
mod vpcs;

/// One request, understood.
pub(crate) struct Call<'a> {
    /// As in locard's table of operations: `bedrock-agent`, `logs`, ...
    pub(crate) service: &'static str,
    pub(crate) protocol: Protocol,
    /// As in the model: `ListEndpoints`.
    pub(crate) operation: &'a str,
    /// An object by the model's member names, from body, path and query alike. Numbers are numbers where the protocol
    /// is JSON or CBOR, text elsewhere: read them with [`Call::integer`] or [`Call::number`].
    pub(crate) input: Value,
    pub(crate) account: &'a str,
    pub(crate) region: &'a str,
    pub(crate) caller: &'a Identity,
    pub(crate) world: &'a World,
    /// The body as it came, for S3's objects.
    pub(crate) body: &'a [u8],
    pub(crate) headers: &'a HeaderMap,
}

/// What a service answers when nothing is wrong.
pub(crate) enum Answer {
    /// Members of the output; the protocol of the service decides whether they leave as JSON or as CBOR.
    Json(Value),
    /// The members of the output inside the protocol's own wrapping, where it has one (STS, EC2), or the root (S3).
    Xml(Element),
    /// An object, or headers alone.
    Bytes { status: u16, headers: Vec<(&'static str, String)>, body: bytes::Bytes },
}

/// An error as AWS words it.
#[derive(Debug)]
pub(crate) struct AwsError {
    pub(crate) code: String,
    pub(crate) status: u16,
    pub(crate) message: String,
}

pub(crate) type Outcome = Result<Answer, AwsError>;

impl AwsError {
    pub(crate) fn new(code: &str, status: u16, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), status, message: message.into() }
    }

    /// An operation the service has not, or that is not simulated.
    pub(crate) fn unknown_operation(call: &Call<'_>) -> Self {
        let message = format!("{}:{} is not simulated", call.service, call.operation);
        Self::new("UnknownOperationException", 400, message)
    }

    /// An operation that AWS does not offer in this region. Where a service has no name either, AWS answers nothing at
    /// all; a server for all regions can only say this.
    pub(crate) fn not_offered(call: &Call<'_>) -> Self {
        let code = if call.service == "bedrock" { "ValidationException" } else { "UnknownOperationException" };
        Self::new(code, 400, "Unknown Operation")
    }
}

impl<'a> Call<'a> {
    /// A member of the input that is text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.input.get(name).and_then(Value::as_str)
    }

    /// A member of the input that is a whole number; an error, in the words of the protocol, if it is something else.
    pub(crate) fn integer(&self, name: &str) -> Result<Option<i64>, AwsError> {
        let number = match self.input.get(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Number(number)) => number.as_i64(),
            // Bodies in JSON have numbers for numbers; forms and queries have none.
            Some(Value::String(text)) if !matches!(self.protocol, Protocol::Json | Protocol::Cbor) => text.parse().ok(),
            _ => None,
        };
        let code = match self.protocol {
            Protocol::Json | Protocol::RestJson | Protocol::Cbor => "SerializationException",
            Protocol::Query => "MalformedInput",
            Protocol::Ec2 => "InvalidParameterValue",
            Protocol::S3 => "InvalidArgument",
        };
        let wrong = || AwsError::new(code, 400, format!("{name} can not be converted to an Integer"));
        number.map(Some).ok_or_else(wrong)
    }

    /// A member of the input that is a number, however the protocol writes numbers.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        match self.input.get(name)? {
            Value::Number(number) => number.as_u64(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// A member of the input that is a switch, however the protocol writes it.
    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        match self.input.get(name)? {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) => text.parse().ok(),
            _ => None,
        }
    }
}

/// Method, path and operation of what the services whose operations have paths answer; a part in braces is a member of
/// the input.
pub(crate) fn routes(service: &str) -> &'static [(&'static str, &'static str, &'static str)] {
    match service {
        "account" => account::ROUTES,
        "bedrock" => bedrock::ROUTES,
        "bedrock-agent" => bedrockagent::ROUTES,
        _ => &[],
    }
}

/// Lists of what no estate has, by their members: other auditors ask for them.
const EMPTY: &[(&str, &str, &str)] = &[
    ("bedrock", "ListCustomModels", "modelSummaries"),
    ("bedrock", "ListTagsForResource", "tags"),
    ("bedrock-agent", "ListPrompts", "promptSummaries"),
    ("cloudwatch", "DescribeAlarms", "MetricAlarms"),
    ("logs", "DescribeMetricFilters", "metricFilters"),
    ("logs", "DescribeResourcePolicies", "resourcePolicies"),
    ("sagemaker", "ListModelPackageGroups", "ModelPackageGroupSummaryList"),
    ("sagemaker", "ListMonitoringSchedules", "MonitoringScheduleSummaries"),
    ("sagemaker", "ListTags", "Tags"),
];

/// Hands a call to its service.
pub(crate) fn answer(call: &Call<'_>) -> Outcome {
    let empty = EMPTY.iter().find(|(service, operation, _)| (*service, *operation) == (call.service, call.operation));
    if let Some((.., member)) = empty {
        return Ok(Answer::Json(json!({*member: []})));
    }
    match call.service {
        "sts" => sts::answer(call),
        "organizations" => organizations::answer(call),
        "account" => account::answer(call),
        "ec2" => ec2::answer(call),
        "s3" => s3::answer(call),
        "sagemaker" => sagemaker::answer(call),
        "bedrock" => bedrock::answer(call),
        "bedrock-agent" => bedrockagent::answer(call),
        "cloudtrail" => cloudtrail::answer(call),
        "cloudwatch" => cloudwatch::answer(call),
        "logs" => logs::answer(call),
        "kms" => kms::answer(call),
        _ => Err(AwsError::unknown_operation(call)),
    }
}
