//! Requests, calls and sessions against a server that answers as told and remembers what it was asked.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_sdk_bedrock::operation::get_model_invocation_logging_configuration::GetModelInvocationLoggingConfigurationInput;
use aws_sdk_bedrockagent::operation::list_agents::ListAgentsInput;
use aws_sdk_cloudtrail::operation::describe_trails::DescribeTrailsInput;
use aws_sdk_cloudwatch::operation::list_metrics::ListMetricsInput;
use aws_sdk_ec2::operation::describe_regions::DescribeRegionsInput;
use aws_sdk_kms::operation::describe_key::DescribeKeyInput;
use aws_sdk_s3::operation::get_bucket_location::GetBucketLocationInput;
use aws_sdk_s3::operation::get_bucket_logging::GetBucketLoggingInput;
use aws_sdk_s3::operation::get_bucket_versioning::GetBucketVersioningInput;
use aws_sdk_s3::operation::list_buckets::ListBucketsInput;
use aws_sdk_sagemaker::operation::list_domains::ListDomainsInput;
use aws_sdk_sagemaker::operation::list_endpoints::ListEndpointsInput;
use aws_sdk_sagemaker::operation::list_models::ListModelsInput;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;

use crate::aws::call::call;
use crate::aws::classify::classify;
use crate::aws::client::Limits;
use crate::aws::request::{self, Request};
use crate::aws::session::{Caller, Entry, Keys, Role};
use crate::aws::signature::LastKey;
use crate::aws::stop::Cause;
use crate::inventory::operations::{OPERATIONS, Operation, Session};
use crate::model::ids::{AccountId, Region};
use crate::model::observed::{Told, Unknown, Why};

const ACCOUNT: &str = "111111111111";

/// Answers every request with what `reply` says of its text, status and body, and keeps the text.
struct Server {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(content_type: &'static str, reply: impl Fn(&str) -> (u16, Vec<u8>) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (kept, reply) = (asked.clone(), Arc::new(reply));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (kept, reply) = (kept.clone(), reply.clone());
                std::thread::spawn(move || answer(stream, content_type, &kept, &*reply));
            }
        });
        Self { url, asked }
    }

    fn assumed(&self) -> usize {
        self.asked().iter().filter(|text| text.contains("Action=AssumeRole")).count()
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no poison").clone()
    }

    /// Asks once.
    async fn send<R: Request>(&self, request: &R) -> Result<R::Output, SdkError<R::Error, HttpResponse>> {
        send(&self.caller(Limits::default()).own_entry(), request).await
    }

    fn caller(&self, limits: Limits) -> Arc<Caller> {
        Arc::new(Caller::made_up(self.url.clone(), ACCOUNT, limits))
    }
}

fn region() -> Region {
    Region::new("us-east-1")
}

fn answer(
    mut stream: TcpStream,
    content_type: &str,
    kept: &Mutex<Vec<String>>,
    reply: &dyn Fn(&str) -> (u16, Vec<u8>),
) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let (mut text, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
            length = value.parse().ok()?;
        }
        text.push_str(&line);
        text.push('\n');
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    text.push_str(&String::from_utf8_lossy(&body));
    kept.lock().ok()?.push(text.clone());
    let (status, body) = reply(&text);
    let date = jiff::Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S GMT");
    let head = format!(
        "HTTP/1.1 {status} told\r\ncontent-type: {content_type}\r\ndate: {date}\r\n\
         smithy-protocol: rpc-v2-cbor\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(&body).ok()
}

/// One call as collectors make it.
async fn ask<R: Request>(entry: &Entry, request: R) -> Told<R::Output> {
    let operation = R::codec().operation;
    let ground = entry.ground(&region());
    let outcome = call(&ground, Keys::Session(entry.door(operation.session)), &request).await;
    outcome.map_err(|failure| failure.unknown(&ground, operation))
}

/// One request as it leaves.
async fn send<R: Request>(entry: &Entry, request: &R) -> Result<R::Output, SdkError<R::Error, HttpResponse>> {
    let identity = Keys::Session(entry.door(Session::Evidence)).identity().await.expect("an identity");
    entry.ground(&region()).common.wire.send(&region(), &identity, &LastKey::default(), request).await
}

/// On one runtime for all: a pool's connections live on the runtime that opened them, and end with it.
fn run<T>(future: impl Future<Output = T>) -> T {
    static RUNTIME: LazyLock<tokio::runtime::Runtime> = LazyLock::new(|| {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        runtime.enable_all().thread_stack_size(8 << 20).build().expect("a runtime")
    });
    RUNTIME.block_on(future)
}

/// Nothing else can be asked: requests are made of these types alone.
#[test]
fn what_can_be_asked_is_the_allow_list() {
    let name = |operation: &Operation| format!("{}:{}", operation.service, operation.name);
    let asked: BTreeSet<String> = request::all().into_iter().map(name).collect();
    assert_eq!(asked, OPERATIONS.iter().map(name).collect());
    assert_eq!(request::all().len(), OPERATIONS.len());
}

#[test]
fn an_answer_without_its_list_is_malformed_and_an_empty_list_is_not() {
    let json = |body: &'static str| {
        let server = Server::start("application/x-amz-json-1.1", move |_| (200, body.as_bytes().to_vec()));
        let result = run(server.send(&ListEndpointsInput::builder()));
        assert_eq!(server.asked().len(), 1, "asking again would not help");
        result.map(|_| ()).map_err(|error| classify(&error))
    };
    let lacking = Err((Why::Malformed, "the answer lacks Endpoints".to_owned()));
    assert_eq!(json("{}"), lacking);
    assert_eq!(json(r#"{"Endpoints": null, "Other": {"Endpoints": []}}"#), lacking);
    assert_eq!(json(r#"{"Endpoints": []}"#), Ok(()));

    let xml = |body: &'static str| {
        let server = Server::start("application/xml", move |_| (200, body.as_bytes().to_vec()));
        run(server.send(&ListBucketsInput::builder())).map(|_| ()).map_err(|error| classify(&error).0)
    };
    assert_eq!(xml("<ListAllMyBucketsResult><Owner/></ListAllMyBucketsResult>"), Err(Why::Malformed));
    assert_eq!(xml("<ListAllMyBucketsResult><Buckets/></ListAllMyBucketsResult>"), Ok(()));
    assert_eq!(xml("<html><body>Log in to the airport</body></html>"), Err(Why::Malformed));

    let cbor = |body: &'static [u8]| {
        let server = Server::start("application/cbor", move |_| (200, body.to_vec()));
        run(server.send(&ListMetricsInput::builder())).map(|_| ()).map_err(|error| classify(&error).0)
    };
    assert_eq!(cbor(b"\xa0"), Err(Why::Malformed));
    assert_eq!(cbor(b"\xa1\x67Metrics\x80"), Ok(()));
}

#[test]
fn an_answer_without_a_body_is_not_a_bucket_without_settings() {
    let server = Server::start("application/xml", |_| (200, Vec::new()));
    run(async {
        let versioning = server.send(&GetBucketVersioningInput::builder().bucket("b")).await;
        assert_eq!(versioning.map_err(|error| classify(&error).0).err(), Some(Why::Malformed));
        let logging = server.send(&GetBucketLoggingInput::builder().bucket("b")).await;
        assert_eq!(logging.map_err(|error| classify(&error).0).err(), Some(Why::Malformed));
        let location = server.send(&GetBucketLocationInput::builder().bucket("b")).await;
        assert_eq!(location.map_err(|error| classify(&error).0).err(), Some(Why::Malformed));
    });
    let logging = run(server.send(&GetModelInvocationLoggingConfigurationInput::builder()));
    assert_eq!(logging.map_err(|error| classify(&error).0).err(), Some(Why::Malformed));
}

#[test]
fn calls_attempts_throttles_and_the_clock_are_counted() {
    let first = Mutex::new(true);
    let server = Server::start("application/x-amz-json-1.1", move |_| {
        match std::mem::replace(&mut *first.lock().expect("no poison"), false) {
            true => (400, br#"{"__type": "ThrottlingException", "message": "Rate exceeded"}"#.to_vec()),
            false => (200, br#"{"agentSummaries": []}"#.to_vec()),
        }
    });
    let caller = server.caller(Limits { attempts: 2, ..Limits::default() });
    let entry = caller.own_entry();
    run(ask(&entry, ListAgentsInput::builder())).expect("the second attempt works");
    let calls = caller.common.ledger.calls();
    let count = calls.get("bedrock-agent:ListAgents").expect("counted");
    assert_eq!((count.operations, count.attempts, count.throttled), (1, 2, 1));
    assert_eq!(calls.len(), 1);
    assert!(caller.common.ledger.clock_skew_seconds().is_some());
}

#[test]
fn the_digest_of_the_body_is_signed_everywhere() {
    let server = Server::start("text/plain", |_| (400, Vec::new()));
    run(async {
        let _ = server.send(&GetModelInvocationLoggingConfigurationInput::builder()).await;
        let _ = server.send(&DescribeRegionsInput::builder()).await;
        let _ = server.send(&ListBucketsInput::builder()).await;
    });
    let asked = server.asked();
    assert_eq!(asked.len(), 3);
    for request in asked {
        let request = request.to_ascii_lowercase();
        assert_eq!(request.matches("x-amz-content-sha256: ").count(), 1, "{request}");
        let signed = request.split("signedheaders=").nth(1).and_then(|rest| rest.split(',').next());
        assert!(signed.is_some_and(|names| names.contains("x-amz-content-sha256")), "{request}");
        assert!(request.contains("app/locard-"), "{request}");
    }
}

/// STS as it answers for one account, its sessions valid for so many seconds.
fn sts(account: &'static str, seconds: i64) -> Server {
    Server::start("text/xml", move |request| (200, sts_answer(account, seconds, request)))
}

fn sts_answer(account: &str, seconds: i64, request: &str) -> Vec<u8> {
    let body = if request.contains("Action=AssumeRole") {
        // Whoever comes meanwhile waits.
        std::thread::sleep(Duration::from_millis(50));
        let expiry = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
        format!(
            "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIA</AccessKeyId>\
                 <SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>{expiry}</Expiration>\
                 </Credentials></AssumeRoleResult></AssumeRoleResponse>"
        )
    } else {
        format!(
            "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:sts::{account}:assumed-role/Audit/x</Arn>\
                 <UserId>u</UserId><Account>{account}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
        )
    };
    body.into_bytes()
}

fn entry(server: &Server) -> Entry {
    server.caller(once()).entry(&AccountId::new(ACCOUNT), &role())
}

/// No call is tried again.
fn once() -> Limits {
    Limits { attempts: 1, ..Limits::default() }
}

fn role() -> Arc<Role> {
    Arc::new(Role {
        name: "audit/Locard".to_owned(),
        external_id: Some("x-1".to_owned()),
        source_identity: None,
        run_id: "r1".to_owned(),
    })
}

fn enter(server: &Server, calls: usize) -> Vec<Result<String, (String, Why)>> {
    let entry = entry(server);
    let entered = run(futures_util::future::join_all((0..calls).map(|_| entry.ready(Session::Evidence))));
    entered.into_iter().map(|told| told.map_err(|unknown| (unknown.call, unknown.why))).collect()
}

#[test]
fn a_session_is_made_once() {
    let server = sts(ACCOUNT, 3600);
    assert!(enter(&server, 20).iter().all(Result::is_ok));
    assert_eq!(server.assumed(), 1);
    let request = &server.asked()[0];
    for part in
        ["role%2Faudit%2FLocard", "RoleSessionName=locard-r1", "ExternalId=x-1", "DurationSeconds=3600", "Policy="]
    {
        assert!(request.contains(part), "{part} in {request}");
    }
}

#[test]
fn a_session_is_renewed_before_it_ends() {
    let server = sts(ACCOUNT, 2);
    let entry = entry(&server);
    run(async {
        for _ in 0..3 {
            entry.ready(Session::Evidence).await.expect("entered");
        }
        assert_eq!(server.assumed(), 1);
        // With a quarter of its life left it is not trusted to last for another call.
        tokio::time::sleep(Duration::from_millis(1700)).await;
        entry.ready(Session::Evidence).await.expect("entered again");
    });
    assert_eq!(server.assumed(), 2);
}

#[test]
fn a_session_in_another_account_is_not_used() {
    let server = sts("222222222222", 3600);
    assert_eq!(enter(&server, 1), vec![Err(("sts:GetCallerIdentity".to_owned(), Why::Failed))]);
}

#[test]
fn silence_and_a_closed_port_are_told_apart() {
    let silent = Server::start("text/plain", |_| {
        std::thread::sleep(Duration::from_secs(2));
        (200, Vec::new())
    });
    let asked = |url: &str| {
        let limits = Limits { read: Duration::from_millis(100), ..Limits::default() };
        let entry = Caller::made_up(url.to_owned(), ACCOUNT, limits).own_entry();
        classify(&run(send(&entry, &ListModelsInput::builder())).expect_err("no answer")).0
    };
    assert_eq!(asked(&silent.url), Why::TimedOut);
    let closed = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    assert_eq!(asked(&format!("http://{closed}")), Why::Failed);
}

/// What each of some calls, made together by an entry of its own, comes to: nothing, or the reason why not.
fn together(entry: &Entry) -> Vec<Result<(), Unknown>> {
    run(all_at_once(entry))
}

async fn all_at_once(entry: &Entry) -> Vec<Result<(), Unknown>> {
    let (one, two, three, four) = futures_util::join!(
        ask(entry, DescribeTrailsInput::builder()),
        ask(entry, ListModelsInput::builder()),
        ask(entry, ListDomainsInput::builder()),
        ask(entry, DescribeKeyInput::builder().key_id("k")),
    );
    vec![one.map(drop), two.map(drop), three.map(drop), four.map(drop)]
}

/// The same while others are answered all the time, so that it cannot be the network.
fn together_beside_others(entry: &Entry) -> Vec<Result<(), Unknown>> {
    run(async {
        let others = async {
            loop {
                let _ = ask(entry, DescribeTrailsInput::builder()).await;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::select! {
            told = all_at_once(entry) => told,
            () = others => panic!("internal error: it goes on"),
        }
    })
}

fn reasons(told: &[Result<(), Unknown>]) -> Vec<Option<Why>> {
    told.iter().map(|one| one.as_ref().err().map(|unknown| unknown.why)).collect()
}

#[test]
fn a_region_that_does_not_know_the_account_is_asked_once() {
    let server = Server::start("application/x-amz-json-1.1", |_| {
        (400, br#"{"__type": "UnrecognizedClientException", "message": "The token is invalid"}"#.to_vec())
    });
    let told = together(&server.caller(Limits::default()).own_entry());
    assert_eq!(reasons(&told), [Some(Why::RegionDisabled); 4]);
    assert_eq!(server.asked().len(), 1, "the others wait for the first and do not try");
    let calls: Vec<&str> = told.iter().filter_map(|one| one.as_ref().err()).map(|one| one.call.as_str()).collect();
    assert_eq!(
        calls,
        ["cloudtrail:DescribeTrails", "sagemaker:ListModels", "sagemaker:ListDomains", "kms:DescribeKey"]
    );
    let said = told[3].as_ref().expect_err("refused").message.clone().unwrap_or_default();
    assert!(said.contains("cloudtrail:DescribeTrails") && said.contains("The token is invalid"), "{said}");
}

#[test]
fn a_denied_probe_says_nothing_of_other_services() {
    let server = Server::start("application/x-amz-json-1.1", |request| match request.contains("DescribeTrails") {
        true => (400, br#"{"__type": "AccessDeniedException", "message": "no"}"#.to_vec()),
        false => (200, br#"{"Models": [], "Domains": [], "KeyMetadata": {"KeyId": "k"}}"#.to_vec()),
    });
    let told = together(&server.caller(Limits::default()).own_entry());
    assert_eq!(reasons(&told), [Some(Why::Denied), None, None, None]);
}

#[test]
fn a_silent_service_is_waited_for_once_an_account_and_then_not_at_all() {
    let server = Server::start("application/x-amz-json-1.1", |request| {
        if request.contains("SageMaker") {
            std::thread::sleep(Duration::from_secs(5));
        }
        (200, br#"{"trailList": [], "KeyMetadata": {"KeyId": "k"}}"#.to_vec())
    });
    let caller = server.caller(Limits { attempt: Duration::from_millis(200), share: 1000.0, ..Limits::default() });
    let asked = |service: &str| server.asked().iter().filter(|request| request.contains(service)).count();
    let entry = caller.own_entry();
    let told = together_beside_others(&entry);
    assert_eq!(reasons(&told), [None, Some(Why::TimedOut), Some(Why::TimedOut), None], "{told:?}");
    assert_eq!(asked("SageMaker"), 2, "those under way are not made again");
    let again = together(&entry);
    assert_eq!(reasons(&again), reasons(&told), "{again:?}");
    assert_eq!(asked("SageMaker"), 2, "and others are not made");

    // The accounts are one here; their number decides, so that one account alone never speaks for others.
    for account in ["222222222222", "333333333333"] {
        let entry = caller.entry_of(account);
        assert_eq!(reasons(&together_beside_others(&entry))[1..3], [Some(Why::TimedOut); 2]);
    }
    let before = asked("SageMaker");
    let entry = caller.entry_of("444444444444");
    let told = together(&entry);
    assert_eq!(reasons(&told), [None, Some(Why::TimedOut), Some(Why::TimedOut), None], "{told:?}");
    assert_eq!(asked("SageMaker"), before, "nobody waits for it any more");
    let said = told[1].as_ref().expect_err("not asked").message.clone().unwrap_or_default();
    assert!(said.contains("no answer in 3 accounts before"), "{said}");
}

#[test]
fn no_service_is_blamed_for_a_network_that_is_down() {
    let down = Arc::new(AtomicBool::new(false));
    let server = Server::start("application/x-amz-json-1.1", {
        let down = down.clone();
        move |_| {
            while down.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(10));
            }
            (200, br#"{"trailList": [], "KeyMetadata": {"KeyId": "k"}, "Models": [], "Domains": []}"#.to_vec())
        }
    });
    let caller = server.caller(Limits { attempt: Duration::from_millis(400), ..Limits::default() });
    assert_eq!(reasons(&together(&caller.own_entry())), [None; 4]);
    // Accounts that are read when it happens lose what they ask then.
    down.store(true, Ordering::Relaxed);
    for account in ["222222222222", "333333333333", "444444444444"] {
        assert!(reasons(&together(&caller.entry_of(account))).iter().all(Option::is_some));
    }
    down.store(false, Ordering::Relaxed);
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(reasons(&together(&caller.entry_of("555555555555"))), [None; 4], "those after them lose nothing");
}

#[test]
fn a_call_that_waits_to_ask_again_holds_up_nobody() {
    let server = Server::start("application/x-amz-json-1.1", |request| match request.contains("SageMaker") {
        true => (400, br#"{"__type": "ThrottlingException", "message": "slow down"}"#.to_vec()),
        false => (200, br#"{"trailList": []}"#.to_vec()),
    });
    // One request at a time in the whole process.
    let entry = server.caller(Limits { requests: 1, attempts: 3, ..Limits::default() }).own_entry();
    run(async {
        let throttled = ask(&entry, ListModelsInput::builder());
        let others = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let began = Instant::now();
            ask(&entry, DescribeTrailsInput::builder()).await.expect("answered");
            began.elapsed()
        };
        let began = Instant::now();
        let (throttled, took) = futures_util::join!(throttled, others);
        assert_eq!(throttled.expect_err("throttled").why, Why::Throttled);
        assert!(began.elapsed() > Duration::from_secs(1), "it was tried three times, with pauses");
        assert!(took < Duration::from_millis(300), "{took:?}");
    });
    assert_eq!(server.asked().len(), 4);
}

#[test]
fn an_answer_that_cannot_be_read_is_asked_for_once_more() {
    let server = Server::start("application/x-amz-json-1.1", |_| (200, br#"{"Models": [{"ModelN"#.to_vec()));
    let entry = server.caller(Limits::default()).own_entry();
    let told = run(ask(&entry, ListModelsInput::builder()));
    assert_eq!(told.expect_err("malformed").why, Why::Malformed);
    assert_eq!(server.asked().len(), 2);
}

#[test]
fn a_session_past_its_time_is_made_anew() {
    let refused = Mutex::new(0);
    let server = Server::start("text/xml", move |request| {
        if request.contains("Action=") {
            return (200, sts_answer(ACCOUNT, 3600, request));
        }
        let mut refused = refused.lock().expect("no poison");
        *refused += 1;
        match *refused {
            1 => (400, br#"{"__type": "ExpiredTokenException", "message": "expired"}"#.to_vec()),
            _ => (200, br#"{"trailList": []}"#.to_vec()),
        }
    });
    let entry = entry(&server);
    run(ask(&entry, DescribeTrailsInput::builder())).expect("entered again");
    assert_eq!(server.assumed(), 2);
}

#[test]
fn a_caller_whose_credentials_ended_ends_the_run() {
    let server = Server::start("text/xml", |_| {
        (
            403,
            b"<ErrorResponse><Error><Code>ExpiredToken</Code><Message>over</Message></Error></ErrorResponse>".to_vec(),
        )
    });
    let entry = entry(&server);
    let told = run(entry.ready(Session::Evidence)).expect_err("not entered");
    assert_eq!((told.call.as_str(), told.why), ("sts:AssumeRole", Why::RunEnded));
    assert_eq!(entry.ground(&region()).common.stop.cause(), Some(Cause::Credentials));
    // Nothing is asked any more.
    let before = server.asked().len();
    let told = run(ask(&entry, DescribeKeyInput::builder().key_id("k"))).expect_err("not asked");
    assert_eq!(told.why, Why::RunEnded);
    assert_eq!(server.asked().len(), before);
}

/// Gives credentials that are over at once, and none after that.
#[derive(Debug, Default)]
struct Lapsed(AtomicBool);

impl ProvideCredentials for Lapsed {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let over = Some(SystemTime::now());
        future::ProvideCredentials::ready(match self.0.swap(true, Ordering::Relaxed) {
            false => Ok(Credentials::new("id", "secret", None, over, "made up")),
            true => Err(CredentialsError::provider_error("the sign-in has ended")),
        })
    }
}

#[test]
fn a_caller_who_gets_no_credentials_any_more_ends_the_run() {
    let server = sts(ACCOUNT, 3600);
    let provider = SharedCredentialsProvider::new(Lapsed::default());
    let caller = Arc::new(Caller::made_up_with(provider, "us-east-1", server.url.clone(), ACCOUNT, once()));
    let enter = |account: &str| {
        let entry = caller.entry(&AccountId::new(account), &role());
        run(entry.ready(Session::Evidence))
    };
    enter(ACCOUNT).expect("entered");
    let told = enter("222222222222").expect_err("not entered");
    assert_eq!(told.why, Why::RunEnded, "{told:?}");
    assert!(told.message.is_some_and(|said| said.contains("the sign-in has ended")));
    assert_eq!(caller.common.stop.cause(), Some(Cause::Credentials));
    assert_eq!(server.assumed(), 1);
}

#[test]
fn an_account_that_has_sts_switched_off_in_a_region_is_entered_at_home() {
    let server = Server::start("text/xml", |request| {
        if request.contains("Action=AssumeRole") && request.contains("/eu-west-1/sts/") {
            let said = "<ErrorResponse><Error><Code>RegionDisabledException</Code><Message>STS is not activated in \
                        this region for account:111111111111</Message></Error></ErrorResponse>";
            return (403, said.as_bytes().to_vec());
        }
        (200, sts_answer(ACCOUNT, 3600, request))
    });
    let provider = SharedCredentialsProvider::new(Credentials::new("id", "secret", None, None, "made up"));
    let caller = Arc::new(Caller::made_up_with(provider, "eu-west-1", server.url.clone(), ACCOUNT, once()));
    let entry = caller.entry(&AccountId::new(ACCOUNT), &role());
    run(entry.ready(Session::Evidence)).expect("entered");
    assert_eq!(caller.common.stop.cause(), None);
    // The session is looked at where it was made.
    assert!(server.asked()[2..].iter().all(|request| request.contains("/us-east-1/sts/")));
}

#[test]
fn a_spell_of_failures_at_the_door_to_all_accounts_is_waited_for() {
    for (status, code) in [(500, "InternalFailure"), (400, "Throttling")] {
        let began = Instant::now();
        let server = Server::start("text/xml", move |request| {
            if request.contains("Action=AssumeRole") && began.elapsed() < Duration::from_millis(1500) {
                return (status, format!("<ErrorResponse><Error><Code>{code}</Code></Error></ErrorResponse>").into());
            }
            (200, sts_answer(ACCOUNT, 3600, request))
        });
        let caller = server.caller(Limits { attempt: Duration::from_millis(500), ..once() });
        let entries: Vec<Entry> = (0..60).map(|_| caller.entry(&AccountId::new(ACCOUNT), &role())).collect();
        let entered = run(futures_util::future::join_all(entries.iter().map(|entry| entry.ready(Session::Evidence))));
        let lost = entered.iter().filter(|told| told.is_err()).count();
        // It takes some to see that it is none of theirs.
        assert!(lost <= 24, "{lost} {code}");
        assert_eq!(caller.common.stop.cause(), None, "{code}");
    }
}

#[test]
fn a_proxy_that_denies_is_not_aws_that_denies() {
    let denied = |content_type, body: &'static [u8]| {
        let server = Server::start(content_type, move |_| (403, body.to_vec()));
        let entry = server.caller(once()).own_entry();
        [
            run(ask(&entry, ListModelsInput::builder())).expect_err("denied").why,
            run(ask(&entry, GetBucketVersioningInput::builder().bucket("b"))).expect_err("denied").why,
        ]
    };
    assert_eq!(denied("text/html", b"<html>blocked by policy</html>"), [Why::Failed; 2]);
    let by_aws = br#"{"__type": "AccessDeniedException", "message": "not authorized"}"#;
    assert_eq!(denied("application/x-amz-json-1.1", by_aws)[0], Why::Denied);
}

#[test]
fn a_session_that_was_revoked_is_made_anew() {
    let denials = Mutex::new(2);
    let server = Server::start("text/xml", move |request| {
        if request.contains("Action=") {
            return (200, sts_answer(ACCOUNT, 3600, request));
        }
        let mut denials = denials.lock().expect("no poison");
        if *denials == 0 {
            return (200, br#"{"trailList": []}"#.to_vec());
        }
        *denials -= 1;
        let said = "x is not authorized to perform: y with an explicit deny in an identity-based policy";
        (400, serde_json::json!({"__type": "AccessDeniedException", "message": said}).to_string().into())
    });
    let entry = entry(&server);
    // A young one is denied for another reason.
    let told = run(ask(&entry, DescribeTrailsInput::builder())).expect_err("denied");
    assert_eq!((told.why, server.assumed()), (Why::Denied, 1));
    entry.door(Session::Evidence).grow_old(Duration::from_secs(90));
    run(ask(&entry, DescribeTrailsInput::builder())).expect("in a new session");
    assert_eq!(server.assumed(), 2);
}
