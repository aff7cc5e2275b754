//! The server over its own wire: what a client that signs by itself is answered. SDKs read it in `tests/it`.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::access::Refusal;
use crate::access::signature::{Key, sign};
use crate::faults::{KINDS, Kind, Rule};
use crate::limits::published;
use crate::wire::Protocol;

const ESTATE: &str = r#"
organization: {management: "111111111111", units: [Workloads]}
regions: [us-east-1, eu-west-1]
accounts:
  - {id: "111111111111", name: management, buckets: {snapshots: {region: us-east-1}}}
  - id: "222222222222"
    name: workloads
    unit: Workloads
    buckets: {models: {region: eu-west-1}, training: {region: us-east-1}}
    resources:
      us-east-1:
        sagemaker:
          endpoints: [{EndpointName: a}, {EndpointName: b}, {EndpointName: c}]
  - {id: "333333333333", name: closed, state: SUSPENDED}
  - {id: "444444444444", name: not-enrolled, role: {missing: true}}
"#;

struct Caller {
    access_key: String,
    secret: String,
    token: Option<String>,
}

struct Answer {
    status: u16,
    headers: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    fn says(&self, text: &str) -> bool {
        self.body.contains(text) || self.headers.contains(text)
    }
}

fn serve(settings: Settings) -> Running {
    let estate = Estate::from_yaml(ESTATE, Timestamp::now()).unwrap();
    start(estate, settings).unwrap()
}

fn user() -> Caller {
    Caller { access_key: USER_KEY.to_owned(), secret: USER_SECRET.to_owned(), token: None }
}

/// None where the connection ends before the answer does.
fn send(
    running: &Running,
    caller: &Caller,
    (service, region): (&str, &str),
    (method, path): (&str, &str),
    headers: &[(&'static str, &str)],
    body: &str,
) -> Option<Answer> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let mut request = Request {
        method: method.parse().unwrap(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: hyper::HeaderMap::new(),
        body: body.to_owned().into(),
    };
    request.headers.insert("host", HeaderValue::from_static("simulated"));
    for (name, value) in headers {
        request.headers.insert(*name, HeaderValue::from_str(value).unwrap());
    }
    let key = Key { access_key: &caller.access_key, secret: &caller.secret, token: caller.token.as_deref() };
    sign(&mut request, &key, service, region, Timestamp::now());
    let target = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
    let mut text = format!("{method} {target} HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in &request.headers {
        text.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
    }
    text.push_str("\r\n");
    text.push_str(body);

    let mut stream = TcpStream::connect(running.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (headers, body) = answer.split_once("\r\n\r\n")?;
    let status = headers.split(' ').nth(1).unwrap().parse().unwrap();
    Some(Answer { status, headers: headers.to_ascii_lowercase(), body: body.to_owned() })
}

fn json_call(running: &Running, caller: &Caller, region: &str, target: &str, body: &Value) -> Option<Answer> {
    let (service, _) = target.split_once('.').unwrap();
    let signed_for = match service {
        "SageMaker" => "sagemaker",
        "AWSOrganizationsV20161128" => "organizations",
        _ => "cloudtrail",
    };
    let headers = [("x-amz-target", target), ("content-type", "application/x-amz-json-1.1")];
    send(running, caller, (signed_for, region), ("POST", "/"), &headers, &body.to_string())
}

fn assume(running: &Running, account: &str, more: &str) -> Answer {
    let arn = format!("arn:aws:iam::{account}:role/LocardAudit");
    let form = format!("Action=AssumeRole&Version=2011-06-15&RoleSessionName=test&RoleArn={arn}{more}");
    send(running, &user(), ("sts", "us-east-1"), ("POST", "/"), &[], &form).unwrap()
}

fn session(answer: &Answer) -> Caller {
    let member = |name: &str| {
        let (_, rest) = answer.body.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("{}", answer.body));
        rest.split_once('<').unwrap().0.to_owned()
    };
    Caller { access_key: member("AccessKeyId"), secret: member("SecretAccessKey"), token: Some(member("SessionToken")) }
}

fn endpoints(running: &Running, caller: &Caller, region: &str, body: &Value) -> Option<Answer> {
    json_call(running, caller, region, "SageMaker.ListEndpoints", body)
}

#[test]
fn a_session_is_in_its_account_and_its_signature_is_verified() {
    let running = serve(Settings::default());
    let caller = session(&assume(&running, "222222222222", ""));
    let identity = "Action=GetCallerIdentity&Version=2011-06-15";
    let answer = send(&running, &caller, ("sts", "us-east-1"), ("POST", "/"), &[], identity).unwrap();
    assert!(answer.says("<Account>222222222222</Account>"), "{}", answer.body);
    assert_eq!(
        endpoints(&running, &caller, "us-east-1", &json!({})).unwrap().json()["Endpoints"][0]["EndpointName"],
        "a"
    );

    let forger = Caller { secret: "another".to_owned(), ..caller };
    assert!(endpoints(&running, &forger, "us-east-1", &json!({})).unwrap().says("InvalidSignatureException"));
    let stranger = Caller { token: None, ..session(&assume(&running, "222222222222", "")) };
    assert!(endpoints(&running, &stranger, "us-east-1", &json!({})).unwrap().says("UnrecognizedClientException"));
    let unsigned = send(&running, &forger, ("s3", "us-east-1"), ("GET", "/"), &[("authorization", "none")], "");
    assert_eq!(unsigned.unwrap().status, 403);
}

#[test]
fn a_signature_is_for_the_service_and_region_that_are_asked() {
    let running = serve(Settings::default());
    let asked = |(service, region), target: &str| {
        let headers = [("x-amz-target", target), ("content-type", "application/x-amz-json-1.1")];
        let answer = send(&running, &user(), (service, region), ("POST", "/"), &headers, "{}").unwrap();
        if answer.status == 200 { String::new() } else { answer.json()["__type"].as_str().unwrap().to_owned() }
    };
    for (scope, target, wanted) in [
        (("organizations", "us-east-1"), "AWSOrganizationsV20161128.ListRoots", ""),
        (("organizations", "eu-west-1"), "AWSOrganizationsV20161128.ListRoots", "InvalidSignatureException"),
        (("sagemaker", "eu-west-1"), "SageMaker.ListEndpoints", ""),
        (("logs", "eu-west-1"), "SageMaker.ListEndpoints", "InvalidSignatureException"),
        (("bedrock", "eu-west-1"), "SageMaker.ListEndpoints", "InvalidSignatureException"),
        (("sagemaker", "eu-west-1"), "Foo.ListEndpoints", "UnknownOperationException"),
    ] {
        assert_eq!(asked(scope, target), wanted, "{scope:?} {target}");
    }
}

#[test]
fn a_date_that_cannot_be_read_is_refused_in_the_words_of_the_protocol() {
    for (protocol, wanted) in [
        (Protocol::Json, ("IncompleteSignatureException", 400)),
        (Protocol::RestJson, ("IncompleteSignatureException", 403)),
        (Protocol::Query, ("IncompleteSignature", 400)),
        (Protocol::S3, ("AccessDenied", 403)),
    ] {
        let error = Refusal::Dateless.error(protocol);
        assert_eq!((error.code.as_str(), error.status), wanted);
    }
}

#[test]
fn services_that_are_not_simulated_answer_as_they_were_asked() {
    let running = serve(Settings::default());
    let asked = |service, (method, path), headers: &[(&'static str, &str)], body| {
        send(&running, &user(), (service, "us-east-1"), (method, path), headers, body).unwrap()
    };
    let form = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
    let iam = asked("iam", ("POST", "/"), &form, "Action=ListRoles&Version=2010-05-08");
    assert!(iam.says("<ErrorResponse") && iam.says("<Code>InvalidAction</Code>"), "{}", iam.body);
    let config = asked("config", ("POST", "/"), &[("x-amz-target", "StarlingDoveService.DescribeConfigRules")], "{}");
    assert_eq!(config.json()["__type"], "UnknownOperationException");
    let guardduty = asked("guardduty", ("GET", "/detector"), &[], "");
    assert!(guardduty.says("x-amzn-errortype: unknownoperationexception"), "{}", guardduty.headers);
}

#[test]
fn sizes_and_tokens_that_are_none_are_refused() {
    let running = serve(Settings::default());
    let json = |target: &str, body: Value| {
        let answer = json_call(&running, &user(), "us-east-1", target, &body).unwrap();
        answer.json()["__type"].as_str().unwrap_or_default().to_owned()
    };
    let events = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents";
    assert_eq!(json("SageMaker.ListEndpoints", json!({"MaxResults": -1})), "ValidationException");
    assert_eq!(json("SageMaker.ListEndpoints", json!({"MaxResults": "ten"})), "SerializationException");
    assert_eq!(json("SageMaker.ListEndpoints", json!({"MaxResults": 1.5})), "SerializationException");
    assert_eq!(json(events, json!({"NextToken": "zz"})), "InvalidNextTokenException");
    assert_eq!(json(events, json!({"MaxResults": 51})), "InvalidMaxResultsException");
    let seconds = assume(&running, "222222222222", "&DurationSeconds=-1");
    assert!(seconds.says("ValidationError"), "{}", seconds.body);

    let s3 = |path: &str| send(&running, &user(), ("s3", "us-east-1"), ("GET", path), &[], "").unwrap();
    for path in ["/?continuation-token=zz", "/?max-buckets=many", "/?bucket-region=eu-west-1"] {
        let answer = s3(path);
        assert!(answer.status == 400 && answer.says("<Code>InvalidArgument</Code>"), "{path}: {}", answer.body);
    }
    assert!(s3("/?bucket-region=us-east-1").says("<Name>snapshots</Name>"));
}

#[test]
fn buckets_are_listed_in_pages_with_tokens_of_their_own() {
    let running = serve(Settings::default());
    let caller = session(&assume(&running, "222222222222", ""));
    let list = |caller: &Caller, token: &str| {
        let path = format!("/?max-buckets=1{token}");
        send(&running, caller, ("s3", "us-east-1"), ("GET", &path), &[], "").unwrap()
    };
    let first = list(&caller, "");
    let (_, rest) = first.body.split_once("<ContinuationToken>").unwrap();
    let token = format!("&continuation-token={}", rest.split_once('<').unwrap().0);
    let second = list(&caller, &token);
    assert!(first.says("<Name>models</Name>") && second.says("<Name>training</Name>"), "{}", second.body);
    assert!(!second.says("<ContinuationToken>"));
    assert!(list(&user(), &token).says("InvalidArgument"), "it is of another account");
    let head = send(&running, &caller, ("s3", "eu-west-1"), ("HEAD", "/models"), &[], "").unwrap();
    assert!(head.says("x-amz-bucket-arn: arn:aws:s3:::models"), "{}", head.headers);
}

#[test]
fn roles_let_in_whom_they_should() {
    let running = serve(Settings::default());
    for account in ["333333333333", "444444444444", "555555555555"] {
        let answer = assume(&running, account, "");
        assert!(answer.status == 403 && answer.says("<Code>AccessDenied</Code>"), "{account}: {}", answer.body);
    }
    let member = session(&assume(&running, "222222222222", ""));
    let listed = json_call(&running, &member, "us-east-1", "AWSOrganizationsV20161128.ListAccounts", &json!({}));
    assert!(listed.unwrap().says("AccessDeniedException"));
    assert!(endpoints(&running, &member, "me-south-1", &json!({})).unwrap().says("UnrecognizedClientException"));
}

#[test]
fn a_session_policy_is_held_to_its_actions_and_its_length() {
    let running = serve(Settings::default());
    let policy = |action: &str| {
        let policy =
            json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]});
        let encoded: String = form_urlencoded::byte_serialize(policy.to_string().as_bytes()).collect();
        format!("&Policy={encoded}")
    };
    let caller = session(&assume(&running, "222222222222", &policy("s3:ListAllMyBuckets")));
    let denied = endpoints(&running, &caller, "us-east-1", &json!({})).unwrap();
    assert!(denied.status == 400 && denied.says("no session policy allows the sagemaker:ListEndpoints action"));
    let buckets = send(&running, &caller, ("s3", "us-east-1"), ("GET", "/"), &[], "").unwrap();
    assert!(buckets.status == 200 && buckets.says("<Name>models</Name>") && !buckets.says("BucketRegion"));
    let long = assume(&running, "222222222222", &policy(&"s".repeat(2048)));
    assert!(long.status == 400 && long.says("ValidationError"), "{}", long.body);
}

#[test]
fn limits_are_those_of_one_account_region_and_operation() {
    let running = serve(Settings { limits: published(), ..Settings::default() });
    let caller = session(&assume(&running, "222222222222", ""));
    let target = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents";
    let statuses: Vec<u16> = (0..4)
        .map(|_| json_call(&running, &caller, "us-east-1", target, &json!({})).unwrap())
        .map(|answer| if answer.says("ThrottlingException") { 429 } else { answer.status })
        .collect();
    assert_eq!(statuses[..3], [200, 200, 429], "{statuses:?}");
    assert_eq!(json_call(&running, &caller, "eu-west-1", target, &json!({})).unwrap().status, 200);
    assert!(running.journal().counters().throttled >= 1);
}

#[test]
fn every_kind_of_fault_shows() {
    let running = serve(Settings::default());
    for kind in KINDS {
        running.set_faults(Plan::default());
        let caller = session(&assume(&running, "222222222222", ""));
        running.set_faults(Plan { seed: 0, rules: vec![Rule { seconds: Some(3.0), ..Rule::new(*kind) }] });
        let asked = || endpoints(&running, &caller, "us-east-1", &json!({"MaxResults": 2}));
        let described =
            || json_call(&running, &caller, "us-east-1", "SageMaker.DescribeEndpoint", &json!({"EndpointName": "a"}));
        let says = |text: &str| asked().is_some_and(|answer| answer.says(text));
        let seen = match kind {
            Kind::Throttle => says("ThrottlingException"),
            Kind::Error500 => asked().is_some_and(|answer| answer.status == 500),
            Kind::Reset | Kind::Dropped | Kind::Hang => asked().is_none(),
            Kind::Slow => {
                let began = Instant::now();
                asked().is_some() && began.elapsed() > Duration::from_secs(1)
            }
            Kind::Truncate | Kind::Malformed => {
                let body = asked().unwrap().body;
                serde_json::from_str::<Value>(&body).map_or(true, |answer| !answer["Endpoints"].is_array())
            }
            Kind::EmptyObject => asked().unwrap().body == "{}",
            Kind::EmptyPageWithToken => {
                let first = asked().unwrap().json();
                let rest = endpoints(&running, &caller, "us-east-1", &json!({"NextToken": first["NextToken"]}));
                first["Endpoints"] == json!([]) && rest.unwrap().json()["Endpoints"].as_array().unwrap().len() == 3
            }
            Kind::RepeatToken | Kind::EndlessToken => {
                let first = asked().unwrap().json();
                let body = json!({"NextToken": first["NextToken"], "MaxResults": 2});
                let second = endpoints(&running, &caller, "us-east-1", &body).unwrap().json();
                second["NextToken"].is_string()
                    && (second["NextToken"] == first["NextToken"]) == (*kind == Kind::RepeatToken)
            }
            Kind::ExpiredSession => says("ExpiredTokenException"),
            Kind::RevokedSession => says("explicit deny in an identity-based policy"),
            Kind::Denied => says("no identity-based policy allows the sagemaker:ListEndpoints action"),
            Kind::ScpDenied => says("explicit deny in a service control policy"),
            Kind::AccountClosed => says("UnrecognizedClientException"),
            Kind::Vanished => described().is_some_and(|answer| answer.says("Could not find endpoint")),
            Kind::Skew => {
                let answer = asked().unwrap();
                let now = Timestamp::now();
                // Whatever second it was.
                (0..3).any(|ago| {
                    let shown = now + SignedDuration::from_secs(3 - ago);
                    answer.says(&shown.strftime("date: %a, %d %b %Y %H:%M:%S gmt").to_string().to_ascii_lowercase())
                })
            }
            Kind::SkewRefused => says("InvalidSignatureException"),
        };
        assert!(seen, "{}", kind.name());
    }
}

#[test]
fn objects_are_kept_listed_and_guarded() {
    let running = serve(Settings::default());
    let s3 = |(method, path): (&str, &str), headers: &[(&'static str, &str)], body: &str| {
        send(&running, &user(), ("s3", "us-east-1"), (method, path), headers, body).unwrap()
    };
    for key in ["run/a", "run/b/1", "run/b/2"] {
        assert_eq!(s3(("PUT", &format!("/snapshots/{key}")), &[], key).status, 200);
    }
    assert_eq!(s3(("PUT", "/snapshots/run/a"), &[("if-none-match", "*")], "").status, 412);
    assert_eq!(s3(("GET", "/snapshots/run/b/1"), &[("range", "bytes=4-4")], "").body, "b");
    let listed = s3(("GET", "/snapshots?list-type=2&prefix=run%2F&delimiter=%2F"), &[], "");
    assert!(
        listed.says("<Key>run/a</Key>") && listed.says("<CommonPrefixes><Prefix>run/b/</Prefix>"),
        "{}",
        listed.body
    );
    let page = s3(("GET", "/snapshots?list-type=2&max-keys=2"), &[], "");
    assert!(page.says("<NextContinuationToken>run/b/1</NextContinuationToken>"), "{}", page.body);
    assert_eq!(s3(("DELETE", "/snapshots/run/a"), &[], "").status, 204);
    assert_eq!(s3(("GET", "/snapshots/run/a"), &[], "").status, 404);
    assert_eq!(s3(("GET", "/models?versioning"), &[], "").status, 403);
}

#[tokio::test]
async fn a_server_may_be_dropped_inside_a_runtime() {
    drop(serve(Settings::default()));
}
