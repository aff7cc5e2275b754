//! Getting into accounts: the caller's own credentials, and two narrowed sessions of the audit role in each account.
//!
//! Which accounts there are, and what is asked inside, is in `collect`.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use tokio::sync::{Mutex, Semaphore, SemaphorePermit};

use crate::aws::classify::{chain, classify, shorten};
use crate::aws::client::{self, Access, Common, Limits};
use crate::aws::ledger::Ledger;
use crate::inventory::operations::{OPERATIONS, Session};
use crate::model::ids::{AccountId, Arn, Partition, Region};
use crate::model::observed::{Told, Unknown, Why};

/// How long a session is asked for: what a role entered from a role may last at most
/// (<https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>).
const SESSION_SECONDS: i32 = 3600;
/// A session with less than this left is renewed before the next call.
const RENEW_BEFORE: Duration = Duration::from_secs(600);
/// A refusal is not asked about again for so long: a sweep makes thousands of calls an account. One that may pass
/// holds shorter.
const REFUSAL_HOLDS: Duration = Duration::from_secs(300);
const FAILURE_HOLDS: Duration = Duration::from_secs(20);
/// Characters of a session policy; AWS takes 2,048 and also limits a packed form it does not describe.
const POLICY_CHARS: usize = 1500;
/// Calls to STS at a time: entering thousands of accounts at once would be throttled.
const STS_AT_A_TIME: usize = 8;

/// Where the caller's credentials come from and where requests go.
#[derive(Clone, Debug, Default)]
pub(crate) struct Source {
    pub profile: Option<String>,
    pub endpoint_url: Option<String>,
    /// A region the run is about; it tells the partition where nothing else does.
    pub region: Option<Region>,
    pub limits: Limits,
}

/// How accounts are entered.
#[derive(Clone, Debug)]
pub(crate) struct Role {
    /// Name of the role, with its path if it has one.
    pub name: String,
    pub external_id: Option<String>,
    pub source_identity: Option<String>,
    /// Names the sessions, `locard-<run id>`, so that an audit can be found in the CloudTrail it audits.
    pub run_id: String,
}

/// Whoever started the run.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub arn: String,
    pub account: AccountId,
    pub partition: Partition,
    pub common: Common,
    provider: SharedCredentialsProvider,
    /// Where STS is asked: the region the caller configured, else the home of the partition. Regional endpoints give
    /// tokens that opt-in regions take too.
    sts_region: Region,
    sts_turns: Arc<Semaphore>,
}

/// One account and how to be in it. Sessions are made when first used, and renewed.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub account: AccountId,
    common: Common,
    workloads: Arc<Door>,
    evidence: Arc<Door>,
}

/// Finds the caller's credentials by the SDK's default chain and asks AWS whose they are.
///
/// The error says what to do; nothing can be audited without an answer.
pub(crate) async fn caller(source: &Source) -> Result<Caller, String> {
    let http = client::http_client(source.endpoint_url.is_some())?;
    let mut loader = aws_config::defaults(client::behavior())
        .http_client(http.clone())
        .app_name(client::app_name())
        .timeout_config(source.limits.timeouts());
    if let Some(profile) = &source.profile {
        loader = loader.profile_name(profile);
    }
    let loaded = loader.load().await;
    let provider = loaded.credentials_provider().ok_or("no AWS credentials are configured")?;
    let configured = loaded.region().map(|region| Region::new(region.as_ref()));
    let sts_region = match (configured, &source.region) {
        (Some(region), _) => region,
        (None, Some(region)) => Partition::of_region(region).home_region(),
        (None, None) => Partition::new("aws").home_region(),
    };
    let common = Common {
        http,
        limits: source.limits,
        endpoint_url: source.endpoint_url.clone().or_else(|| loaded.endpoint_url().map(str::to_owned)),
        use_fips: loaded.use_fips(),
        use_dual_stack: loaded.use_dual_stack(),
        ledger: Arc::new(Ledger::default()),
        turns: Arc::new(Semaphore::new(client::REQUESTS_AT_A_TIME)),
    };
    let provider = SharedCredentialsProvider::new(Kept { inner: provider, last: Mutex::default() });
    provider.provide_credentials().await.map_err(|error| {
        let said = shorten(&chain(Some(&error)));
        format!("no AWS credentials; configure them as for the AWS CLI, or name a profile with --profile: {said}")
    })?;
    let access = Access::new(&common, "caller", &sts_region, provider.clone());
    let identity = client::sts(&access).get_caller_identity().send().await.map_err(|error| {
        let (why, said) = classify(&error);
        format!("cannot tell who is calling: sts:GetCallerIdentity in {sts_region}: {}: {said}", why.word())
    })?;
    let (Some(arn), Some(account)) = (identity.arn(), identity.account()) else {
        return Err("cannot tell who is calling: sts:GetCallerIdentity answered without account or ARN".to_owned());
    };
    let partition = Arn::parse(arn).map(|parts| Partition::new(parts.partition));
    Ok(Caller {
        arn: arn.to_owned(),
        account: AccountId::parse(account)?,
        partition: partition.ok_or_else(|| format!("sts:GetCallerIdentity answered `{arn}`, which is no ARN"))?,
        common,
        provider,
        sts_region,
        sts_turns: Arc::new(Semaphore::new(STS_AT_A_TIME)),
    })
}

impl Caller {
    /// The region the caller configured, else the home of the partition.
    pub(crate) fn region(&self) -> &Region {
        &self.sts_region
    }

    /// The caller's own credentials, as they are, in a region.
    pub(crate) fn access(&self, region: &Region) -> Access {
        Access::new(&self.common, &format!("{}/caller", self.account), region, self.provider.clone())
    }

    /// An account entered through the audit role, the caller's own included. Makes no call yet.
    pub(crate) fn entry(&self, account: &AccountId, role: &Role) -> Entry {
        let door = |session| Arc::new(Door::role(self, account, role, session));
        Entry {
            account: account.clone(),
            common: self.common.clone(),
            workloads: door(Session::Workloads),
            evidence: door(Session::Evidence),
        }
    }

    /// The caller's own account with the caller's own credentials: single-account mode, where no role is assumed and
    /// nothing narrows the sessions but the allow-list.
    pub(crate) fn own_entry(&self) -> Entry {
        let door = Arc::new(Door::own(self));
        Entry { account: self.account.clone(), common: self.common.clone(), workloads: door.clone(), evidence: door }
    }
}

#[cfg(test)]
impl Caller {
    /// A caller with made-up credentials, whose requests all go to one address and are tried once.
    pub(crate) fn made_up(endpoint_url: String, account: &str) -> Self {
        let limits = Limits { attempts: 1, ..Limits::default() };
        let http = client::http_client(false).unwrap_or_else(|e| panic!("{e}"));
        let common = Common {
            http,
            limits,
            endpoint_url: Some(endpoint_url),
            use_fips: None,
            use_dual_stack: None,
            ledger: Arc::default(),
            turns: Arc::new(Semaphore::new(client::REQUESTS_AT_A_TIME)),
        };
        let provider = SharedCredentialsProvider::new(Credentials::new("id", "secret", None, None, "made up"));
        Self {
            arn: format!("arn:aws:iam::{account}:user/made-up"),
            account: AccountId::new(account),
            partition: Partition::new("aws"),
            common,
            provider,
            sts_region: Region::new("us-east-1"),
            sts_turns: Arc::new(Semaphore::new(1)),
        }
    }
}

impl Entry {
    /// What clients of a session are made from, in a region.
    pub(crate) fn access(&self, session: Session, region: &Region) -> Access {
        let door = self.door(session);
        let provider = SharedCredentialsProvider::new(Through(door.clone()));
        let name = format!("{}/{}", self.account, word(session));
        Access::new(&self.common, &name, region, provider)
    }

    /// Makes sure the session stands and will for some minutes; returns the ARN it acts as. Called before each
    /// request, so that entering is not counted against the time the request may take.
    pub(crate) async fn ready(&self, session: Session) -> Told<String> {
        self.door(session).pass().await.map(|inside| inside.arn)
    }

    /// Waits until one request more may be under way; it counts until the permit is dropped.
    pub(crate) async fn turn(&self) -> SemaphorePermit<'_> {
        match self.common.turns.acquire().await {
            Ok(permit) => permit,
            Err(closed) => panic!("internal error: the semaphore of requests is never closed: {closed}"),
        }
    }

    /// Whether it is the caller as it came, not a role.
    fn own(&self) -> bool {
        matches!(self.evidence.way, Way::Own { .. })
    }

    fn door(&self, session: Session) -> &Arc<Door> {
        match session {
            Session::Workloads => &self.workloads,
            Session::Evidence => &self.evidence,
            Session::Caller if self.own() => &self.evidence,
            Session::Caller => panic!("internal error: what the caller asks is not asked inside an account"),
        }
    }
}

/// One session of one account: how it is made, and what came of the last attempt.
#[derive(Debug)]
struct Door {
    account: AccountId,
    way: Way,
    /// Locked while a session is made, so that concurrent calls wait for one AssumeRole instead of making their own.
    state: Mutex<State>,
}

#[derive(Debug)]
enum Way {
    /// The caller's credentials as they are.
    Own { provider: SharedCredentialsProvider, arn: String },
    /// AssumeRole with a session policy.
    Role(Box<Assume>),
}

#[derive(Debug)]
struct Assume {
    caller: Caller,
    role_arn: String,
    role: Role,
    policy: String,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Closed,
    Inside(Inside),
    Refused {
        unknown: Unknown,
        until: SystemTime,
    },
}

#[derive(Clone, Debug)]
struct Inside {
    credentials: Credentials,
    arn: String,
}

impl Inside {
    /// Whether more than `spare` is left; credentials without expiry stay.
    fn lasts(&self, spare: Duration) -> bool {
        self.credentials.expiry().is_none_or(|expiry| expiry > SystemTime::now() + spare)
    }
}

impl Door {
    fn role(caller: &Caller, account: &AccountId, role: &Role, session: Session) -> Self {
        let assume = Assume {
            caller: caller.clone(),
            role_arn: format!("arn:{}:iam::{account}:role/{}", caller.partition, role.name.trim_start_matches('/')),
            role: role.clone(),
            policy: session_policy(session),
        };
        Self { account: account.clone(), way: Way::Role(Box::new(assume)), state: Mutex::default() }
    }

    fn own(caller: &Caller) -> Self {
        let way = Way::Own { provider: caller.provider.clone(), arn: caller.arn.clone() };
        Self { account: caller.account.clone(), way, state: Mutex::default() }
    }

    /// The session, made or renewed if need be.
    async fn pass(&self) -> Told<Inside> {
        let assume = match &self.way {
            Way::Own { provider, arn } => {
                let credentials = provider.provide_credentials().await.map_err(|error| {
                    self.unknown("sts:GetCallerIdentity", Why::Failed).saying(format!("no credentials: {error}"))
                })?;
                return Ok(Inside { credentials, arn: arn.clone() });
            }
            Way::Role(assume) => assume,
        };
        let mut state = self.state.lock().await;
        match &*state {
            State::Inside(inside) if inside.lasts(RENEW_BEFORE) => return Ok(inside.clone()),
            State::Refused { unknown, until } if SystemTime::now() < *until => return Err(unknown.clone()),
            _ => {}
        }
        match self.enter(assume).await {
            Ok(inside) => {
                *state = State::Inside(inside.clone());
                Ok(inside)
            }
            // A renewal that fails is tried again while the old session still works.
            Err(unknown) => match &*state {
                State::Inside(old) if old.lasts(Duration::from_secs(30)) => Ok(old.clone()),
                _ => {
                    let holds = if unknown.why.passing() { FAILURE_HOLDS } else { REFUSAL_HOLDS };
                    *state = State::Refused { unknown: unknown.clone(), until: SystemTime::now() + holds };
                    Err(unknown)
                }
            },
        }
    }

    /// AssumeRole, and a look whether the session is in the account it should be in.
    async fn enter(&self, assume: &Assume) -> Told<Inside> {
        let caller = &assume.caller;
        let _turn = caller
            .sts_turns
            .acquire()
            .await
            .map_err(|error| self.unknown("sts:AssumeRole", Why::Failed).saying(error.to_string()))?;
        let access = caller.access(&caller.sts_region);
        let answer = client::sts(&access)
            .assume_role()
            .role_arn(&assume.role_arn)
            .role_session_name(format!("locard-{}", assume.role.run_id))
            .set_external_id(assume.role.external_id.clone())
            .set_source_identity(assume.role.source_identity.clone())
            .duration_seconds(SESSION_SECONDS)
            .policy(&assume.policy)
            .send()
            .await
            .map_err(|error| {
                let (why, said) = classify(&error);
                self.unknown("sts:AssumeRole", why).saying(said)
            })?;
        let given = answer.credentials().ok_or_else(|| self.unknown("sts:AssumeRole", Why::Malformed))?;
        let expiry = SystemTime::try_from(*given.expiration())
            .map_err(|error| self.unknown("sts:AssumeRole", Why::Malformed).saying(error.to_string()))?;
        let credentials = Credentials::new(
            given.access_key_id(),
            given.secret_access_key(),
            Some(given.session_token().to_owned()),
            Some(expiry),
            "LocardAssumeRole",
        );
        let arn = self.assert_account(caller, &credentials).await?;
        Ok(Inside { credentials, arn })
    }

    /// The ARN of the session, once AWS has said that it is in this account.
    async fn assert_account(&self, caller: &Caller, credentials: &Credentials) -> Told<String> {
        let provider = SharedCredentialsProvider::new(credentials.clone());
        let access = Access::new(&caller.common, self.account.as_str(), &caller.sts_region, provider);
        let identity = client::sts(&access).get_caller_identity().send().await.map_err(|error| {
            let (why, said) = classify(&error);
            self.unknown("sts:GetCallerIdentity", why).saying(said)
        })?;
        match (identity.account(), identity.arn()) {
            (Some(account), Some(arn)) if account == self.account.as_str() => Ok(arn.to_owned()),
            (Some(account), Some(_)) => Err(self
                .unknown("sts:GetCallerIdentity", Why::Failed)
                .saying(format!("the session is in account {account}"))),
            _ => Err(self.unknown("sts:GetCallerIdentity", Why::Malformed)),
        }
    }

    fn unknown(&self, call: &str, why: Why) -> Unknown {
        Unknown::new(call, why).in_account(&self.account)
    }
}

/// Gives the credentials of a [`Door`] to the SDK, which asks before every request.
#[derive(Clone)]
struct Through(Arc<Door>);

impl fmt::Debug for Through {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Through({})", self.0.account)
    }
}

impl ProvideCredentials for Through {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let inside = self.0.pass().await;
            inside.map(|inside| inside.credentials).map_err(|unknown| {
                let said = unknown.message.clone().unwrap_or_default();
                CredentialsError::provider_error(format!("{}: {said}", unknown.sentence()))
            })
        })
    }
}

/// Keeps what the default chain gave until it is about to expire: the chain itself may read files or call SSO on
/// every question.
#[derive(Debug)]
struct Kept {
    inner: SharedCredentialsProvider,
    last: Mutex<Option<Credentials>>,
}

impl ProvideCredentials for Kept {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let mut last = self.last.lock().await;
            let soon = SystemTime::now() + Duration::from_secs(60);
            if let Some(credentials) = last.as_ref()
                && credentials.expiry().is_none_or(|expiry| expiry > soon)
            {
                return Ok(credentials.clone());
            }
            let fresh = self.inner.provide_credentials().await?;
            *last = Some(fresh.clone());
            Ok(fresh)
        })
    }
}

/// The session policy: exactly the actions of the operations called in the session. It can only take away from what
/// the role grants.
pub(crate) fn session_policy(session: Session) -> String {
    let actions: BTreeSet<&str> =
        OPERATIONS.iter().filter(|operation| operation.session == session).map(|operation| operation.action).collect();
    let policy = serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}],
    })
    .to_string();
    assert!(
        policy.len() < POLICY_CHARS,
        "internal error: the {} session policy has {} characters, of {POLICY_CHARS} allowed",
        word(session),
        policy.len()
    );
    policy
}

fn word(session: Session) -> &'static str {
    match session {
        Session::Caller => "caller",
        Session::Workloads => "workloads",
        Session::Evidence => "evidence",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_policies_are_exact_and_short() {
        for session in [Session::Workloads, Session::Evidence] {
            let policy = session_policy(session);
            assert!(policy.len() < POLICY_CHARS);
            for operation in OPERATIONS {
                let quoted = format!("\"{}\"", operation.action);
                assert_eq!(policy.contains(&quoted), operation.session == session, "{} in {policy}", operation.action);
            }
        }
    }
}
