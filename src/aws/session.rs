//! Getting into accounts: the caller's own credentials, and two narrowed sessions of the audit role in each account.
//!
//! Which accounts there are, and what is asked inside, is in `collect`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use aws_config::default_provider::region::DefaultRegionChain;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_sdk_sts::operation::assume_role::{AssumeRoleError, AssumeRoleInput, AssumeRoleOutput};
use aws_sdk_sts::operation::get_caller_identity::GetCallerIdentityInput;
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::aws::call::{Failure, call};
use crate::aws::classify::{STS_SWITCHED_OFF, Verdict, chain, classify, code, shorten, verdict};
use crate::aws::client::{self, Common, Limits};
use crate::aws::ground::Ground;
use crate::aws::stop::{Cause, Stop};
use crate::aws::wire::Endpoints;
use crate::inventory::operations::{self, OPERATIONS, Operation, Session};
use crate::model::ids::{AccountId, Arn, Partition, Region};
use crate::model::observed::{Told, Unknown, Why};

/// How long a session is asked for: what a role entered from a role may last at most
/// (<https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>).
const SESSION_SECONDS: i32 = 3600;
/// A session with less than this left is renewed before the next call; a short one with a quarter of it left.
const RENEW_BEFORE: Duration = Duration::from_secs(600);
/// The same for the caller's own credentials, whose issuer may give no others before the last minute.
const REFRESH_BEFORE: Duration = Duration::from_secs(60);
/// A refusal is not asked about again for so long: a sweep makes thousands of calls an account. One that may pass
/// holds shorter.
const REFUSAL_HOLDS: Duration = Duration::from_secs(300);
const FAILURE_HOLDS: Duration = Duration::from_secs(20);
/// How often whoever issues the caller's credentials is asked again when there are none, and after how long.
const SOURCE_ASKED_AGAIN: u32 = 2;
const SOURCE_PAUSE: Duration = Duration::from_secs(1);
/// Characters of a session policy; AWS takes 2,048 and also limits a packed form it does not describe.
const POLICY_CHARS: usize = 1500;

/// Where the caller's credentials come from and where requests go.
#[derive(Clone, Debug, Default)]
pub(crate) struct Source {
    pub profile: Option<String>,
    pub endpoint_url: Option<String>,
    /// A region the run is about; it tells the partition where nothing else does.
    pub region: Option<Region>,
    pub limits: Limits,
    pub stop: Stop,
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
    pub common: Arc<Common>,
    provider: Arc<Kept>,
    /// Where STS is asked: the region the caller configured, else the home of the partition. Regional endpoints give
    /// tokens that opt-in regions take too.
    sts: Arc<Ground>,
    /// Where it is asked for accounts that have it switched off there, which at home nobody can.
    home_sts: Arc<Ground>,
}

/// One account and how to be in it. Sessions are made when first used, and renewed.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub account: AccountId,
    common: Arc<Common>,
    workloads: Arc<Door>,
    evidence: Arc<Door>,
    grounds: Arc<Mutex<BTreeMap<Region, Arc<Ground>>>>,
}

/// Why nobody is calling.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoCaller {
    /// There are no credentials.
    #[error("{0}")]
    NoCredentials(String),
    /// AWS does not take them, or cannot be asked.
    #[error("{0}")]
    Unidentified(String),
}

/// Finds the caller's credentials by the SDK's default chain and asks AWS whose they are.
///
/// The error says what to do; nothing can be audited without an answer.
pub(crate) async fn caller(source: &Source) -> Result<Caller, NoCaller> {
    let connector = client::connector(&source.limits, source.endpoint_url.is_some());
    let mut loader = aws_config::defaults(client::behavior())
        .http_client(client::http_client())
        .app_name(client::app_name())
        .timeout_config(source.limits.timeouts());
    let home = source.region.as_ref().map_or_else(|| Partition::new("aws"), Partition::of_region).home_region();
    if let Some(profile) = &source.profile {
        // One that is named comes before credentials in the environment, as for the AWS CLI.
        // Where it names a role, AWS is asked for its credentials in the profile's region, or in the one of the run.
        let region = DefaultRegionChain::builder().profile_name(profile).build().region().await;
        let region = region.unwrap_or_else(|| aws_config::Region::new(home.as_str().to_owned()));
        let from = ProviderConfig::default().with_http_client(client::http_client()).with_region(Some(region));
        let named = ProfileFileCredentialsProvider::builder().configure(&from).profile_name(profile).build();
        loader = loader.profile_name(profile).credentials_provider(named);
    }
    let loaded = loader.load().await;
    let none = |said: String| NoCaller::NoCredentials(said);
    let provider = loaded.credentials_provider().ok_or_else(|| none("no AWS credentials are configured".to_owned()))?;
    let configured = loaded.region().map(|region| Region::new(region.as_ref()));
    let sts_region = configured.unwrap_or(home);
    let endpoints = Endpoints {
        url: source.endpoint_url.clone().or_else(|| loaded.endpoint_url().map(str::to_owned)),
        use_fips: loaded.use_fips(),
        use_dual_stack: loaded.use_dual_stack(),
    };
    let common = Arc::new(Common::new(connector, source.limits, endpoints, source.stop.clone()));
    let provider = Arc::new(Kept::new(provider, &source.stop));
    provider.credentials().await.map_err(|error| {
        let said = shorten(&chain(Some(&error)));
        let said =
            format!("no AWS credentials; configure them as for the AWS CLI, or name a profile with --profile: {said}");
        match error {
            CredentialsError::CredentialsNotLoaded(_) if source.profile.is_none() => none(said),
            _ => NoCaller::Unidentified(said),
        }
    })?;
    // Whose account it is, is what is asked here.
    let nobody = Ground::new(&common, &AccountId::new("caller"), &sts_region);
    let identity = call(&nobody, Keys::Caller(&provider), &GetCallerIdentityInput::builder()).await;
    let identity = identity.map_err(|failure| {
        let unknown = failure.unknown(&nobody, operation("sts:GetCallerIdentity"));
        let said = unknown.message.as_ref().map_or_else(String::new, |said| format!(": {said}"));
        // Before anything is known of the caller, it is the credentials that are not known, rather than the region.
        let why = match unknown.why {
            Why::RegionDisabled => "AWS does not know these credentials, or they have ended",
            why => why.word(),
        };
        NoCaller::Unidentified(format!(
            "cannot tell who is calling: sts:GetCallerIdentity in {sts_region}: {why}{said}"
        ))
    })?;
    let unidentified = |said: &str| NoCaller::Unidentified(said.to_owned());
    let (Some(arn), Some(account)) = (identity.arn(), identity.account()) else {
        let said = "cannot tell who is calling: sts:GetCallerIdentity answered without account or ARN";
        return Err(unidentified(said));
    };
    let partition = Arn::parse(arn).map(|parts| Partition::new(parts.partition));
    let account = AccountId::parse(account).map_err(|said| unidentified(&said))?;
    let partition =
        partition.ok_or_else(|| unidentified(&format!("sts:GetCallerIdentity answered `{arn}`, which is no ARN")))?;
    let sts = Arc::new(Ground::for_all(&common, &account, &sts_region));
    // It has just answered.
    sts.answered(&sts.lane("sts"));
    let home = partition.home_region();
    let home_sts = if home == sts_region { sts.clone() } else { Arc::new(Ground::for_all(&common, &account, &home)) };
    Ok(Caller { arn: arn.to_owned(), partition, provider, sts, home_sts, common, account })
}

impl Caller {
    /// The region the caller configured, else the home of the partition.
    pub(crate) fn region(&self) -> &Region {
        &self.sts.region
    }

    /// The caller's credentials, for clients of the SDK.
    pub(crate) fn credentials_provider(&self) -> SharedCredentialsProvider {
        SharedCredentialsProvider::new(Of(self.provider.clone()))
    }

    /// An account entered through the audit role, the caller's own included. Makes no call yet.
    pub(crate) fn entry(self: &Arc<Self>, account: &AccountId, role: &Arc<Role>) -> Entry {
        let door = |session| {
            let way = Way::Role { caller: self.clone(), role: role.clone(), session };
            Arc::new(Door::new(account, way))
        };
        Entry {
            account: account.clone(),
            common: self.common.clone(),
            workloads: door(Session::Workloads),
            evidence: door(Session::Evidence),
            grounds: Arc::default(),
        }
    }

    /// The caller's own account with the caller's own credentials: single-account mode, where no role is assumed and
    /// nothing narrows the sessions but the allow-list.
    pub(crate) fn own_entry(&self) -> Entry {
        let way = Way::Own { provider: self.provider.clone(), arn: self.arn.clone() };
        let door = Arc::new(Door::new(&self.account, way));
        Entry {
            account: self.account.clone(),
            common: self.common.clone(),
            workloads: door.clone(),
            evidence: door,
            grounds: Arc::default(),
        }
    }
}

#[cfg(test)]
impl Door {
    /// The session was made so much earlier.
    pub(crate) fn grow_old(&self, by: Duration) {
        let mut state = self.state();
        if let State::Inside(inside) = &*state {
            let since = inside.since.checked_sub(by).unwrap_or(inside.since);
            *state = State::Inside(Arc::new(Inside { since, ..inside.kept_for(FAILURE_HOLDS) }));
        }
    }
}

#[cfg(test)]
impl Caller {
    /// The caller's own credentials, taken for those of an account.
    pub(crate) fn entry_of(&self, account: &str) -> Entry {
        Entry { account: AccountId::new(account), ..self.own_entry() }
    }

    /// A caller with made-up credentials, whose requests all go to one address.
    pub(crate) fn made_up(endpoint_url: String, account: &str, limits: Limits) -> Self {
        let credentials = Credentials::new("id", "secret", None, None, "made up");
        Self::made_up_with(SharedCredentialsProvider::new(credentials), "us-east-1", endpoint_url, account, limits)
    }

    /// The same with credentials from somewhere, who asks STS in a region.
    pub(crate) fn made_up_with(
        inner: SharedCredentialsProvider,
        sts_region: &str,
        endpoint_url: String,
        account: &str,
        limits: Limits,
    ) -> Self {
        let connector = client::connector(&limits, false);
        let endpoints = Endpoints { url: Some(endpoint_url), ..Endpoints::default() };
        let common = Arc::new(Common::new(connector, limits, endpoints, Stop::default()));
        let account = AccountId::new(account);
        let ground = |region: &str| Arc::new(Ground::for_all(&common, &account, &Region::new(region)));
        Self {
            arn: format!("arn:aws:iam::{account}:user/made-up"),
            partition: Partition::new("aws"),
            provider: Arc::new(Kept::new(inner, &common.stop)),
            sts: ground(sts_region),
            home_sts: ground("us-east-1"),
            common,
            account,
        }
    }
}

impl Entry {
    /// Makes sure the session stands and will for some minutes; returns the ARN it acts as.
    pub(crate) async fn ready(&self, session: Session) -> Told<String> {
        self.door(session).pass().await.map(|inside| inside.arn.clone())
    }

    /// The account in a region, the same for all who ask there.
    pub(crate) fn ground(&self, region: &Region) -> Arc<Ground> {
        let mut grounds = self.grounds.lock().unwrap_or_else(PoisonError::into_inner);
        let ground =
            grounds.entry(region.clone()).or_insert_with(|| Arc::new(Ground::new(&self.common, &self.account, region)));
        ground.clone()
    }

    pub(crate) fn door(&self, session: Session) -> &Arc<Door> {
        match session {
            Session::Workloads => &self.workloads,
            Session::Evidence => &self.evidence,
            // Whether it is the caller as it came, not a role.
            Session::Caller if matches!(self.evidence.way, Way::Own { .. }) => &self.evidence,
            Session::Caller => panic!("internal error: what the caller asks is not asked inside an account"),
        }
    }
}

/// One session of one account: how it is made, and what came of the last attempt.
#[derive(Debug)]
pub(crate) struct Door {
    account: AccountId,
    way: Way,
    state: Mutex<State>,
    /// Held while a session is made, so that concurrent calls wait for one AssumeRole instead of making their own.
    entering: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
enum Way {
    /// The caller's credentials as they are.
    Own { provider: Arc<Kept>, arn: String },
    /// AssumeRole with a session policy.
    Role { caller: Arc<Caller>, role: Arc<Role>, session: Session },
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Closed,
    Inside(Arc<Inside>),
    Refused {
        unknown: Unknown,
        until: SystemTime,
    },
}

#[derive(Debug)]
struct Inside {
    identity: Identity,
    arn: String,
    since: Instant,
    /// With less than this left it is renewed.
    spare: Duration,
}

impl Inside {
    fn new(credentials: Credentials, arn: String, spare: Duration) -> Self {
        let life = credentials.expiry().and_then(|expiry| expiry.duration_since(SystemTime::now()).ok());
        let spare = life.map_or(spare, |life| spare.min(life / 4));
        Self { identity: credentials.into(), arn, since: Instant::now(), spare }
    }

    /// The same session, not to be renewed for a while.
    fn kept_for(&self, time: Duration) -> Self {
        let left = self.identity.expiration().and_then(|expiry| expiry.duration_since(SystemTime::now()).ok());
        let spare = left.unwrap_or_default().saturating_sub(time);
        Self { identity: self.identity.clone(), arn: self.arn.clone(), since: self.since, spare }
    }

    /// Whether more than `spare` is left; credentials without expiry stay.
    fn lasts(&self, spare: Duration) -> bool {
        self.identity.expiration().is_none_or(|expiry| expiry > SystemTime::now() + spare)
    }
}

impl Door {
    fn new(account: &AccountId, way: Way) -> Self {
        Self { account: account.clone(), way, state: Mutex::default(), entering: tokio::sync::Mutex::default() }
    }

    /// Leaves the session that was refused to whoever asked then, so that the next to pass makes a new one. False if
    /// there is none, or it was younger than it must be for that to help.
    pub(crate) async fn leave(&self, asked: Instant, old: Duration) -> bool {
        {
            let mut state = self.state();
            match &*state {
                State::Inside(inside) if inside.since <= asked => {
                    if asked.saturating_duration_since(inside.since) < old {
                        return false;
                    }
                    *state = State::Closed;
                }
                // Somebody else was faster, or is at it.
                State::Inside(_) | State::Closed => return true,
                State::Refused { .. } => return false,
            }
        }
        if let Way::Own { provider, .. } = &self.way {
            provider.forget().await;
        }
        true
    }

    /// Takes note that a new session was refused like the one before. The caller's own credentials have no other source.
    pub(crate) fn refused(&self, stop: &Stop) {
        if matches!(self.way, Way::Own { .. }) {
            stop.stop(Cause::Credentials);
        }
    }

    /// The session, made or renewed if need be.
    async fn pass(&self) -> Told<Arc<Inside>> {
        if let Some(known) = self.known() {
            return known;
        }
        let _entering = self.entering.lock().await;
        if let Some(known) = self.known() {
            return known;
        }
        let entered = match &self.way {
            // While nobody answers there, the old session is good for as long as it lasts.
            Way::Role { caller, .. } if self.lasts() && caller.sts.is_shut("sts") => {
                Err(self.unknown("sts:AssumeRole", Why::TimedOut))
            }
            Way::Own { provider, arn } => self.come(provider, arn).await,
            // On the heap: a call enters, and entering is a call.
            Way::Role { caller, role, session } => self.enter(caller, role, *session).await,
        };
        let mut state = self.state();
        match entered {
            Ok(inside) => {
                let inside = Arc::new(inside);
                *state = State::Inside(inside.clone());
                Ok(inside)
            }
            // A renewal that fails is tried again while the old session still works.
            Err(unknown) => match &*state {
                State::Inside(old) if old.lasts(Duration::ZERO) => {
                    let old = Arc::new(old.kept_for(FAILURE_HOLDS));
                    *state = State::Inside(old.clone());
                    Ok(old)
                }
                _ => {
                    let holds = if unknown.why.passing() { FAILURE_HOLDS } else { REFUSAL_HOLDS };
                    *state = State::Refused { unknown: unknown.clone(), until: SystemTime::now() + holds };
                    Err(unknown)
                }
            },
        }
    }

    /// Whether the session still works, due for renewal or not.
    fn lasts(&self) -> bool {
        matches!(&*self.state(), State::Inside(inside) if inside.lasts(Duration::ZERO))
    }

    /// What the last attempt came to, as long as it holds.
    fn known(&self) -> Option<Told<Arc<Inside>>> {
        match &*self.state() {
            State::Inside(inside) if inside.lasts(inside.spare) => Some(Ok(inside.clone())),
            State::Refused { unknown, until } if SystemTime::now() < *until => Some(Err(unknown.clone())),
            _ => None,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn come(&self, provider: &Kept, arn: &str) -> Told<Inside> {
        let credentials = provider.still().await.map_err(|unknown| unknown.in_account(&self.account))?;
        Ok(Inside::new(credentials, arn.to_owned(), REFRESH_BEFORE))
    }

    /// AssumeRole, and a look whether the session is in the account it should be in.
    fn enter<'a>(&'a self, caller: &'a Arc<Caller>, role: &'a Role, session: Session) -> BoxFuture<'a, Told<Inside>> {
        async move {
            let mut sts = &caller.sts;
            let mut answer = self.assume(caller, sts, role, session).await;
            if sts.region != caller.home_sts.region && refusal(&answer).is_some_and(is_switched_off) {
                sts = &caller.home_sts;
                answer = self.assume(caller, sts, role, session).await;
            }
            let is_of_credentials = |answer: &_| {
                refusal(answer).is_some_and(|error| is_of_credentials(verdict(error, caller.common.ledger.ahead())))
            };
            if is_of_credentials(&answer) {
                // Whoever issued them may have issued others since.
                caller.provider.forget().await;
                answer = self.assume(caller, sts, role, session).await;
                if let (true, Some(error)) = (is_of_credentials(&answer), refusal(&answer)) {
                    caller.common.stop.stop(Cause::Credentials);
                    // It says nothing of the account, which the next run enters.
                    let said = classify(error).1;
                    answer = Err(Failure::Unknown(self.unknown("sts:AssumeRole", Why::RunEnded).saying(said)));
                }
            }
            let answer = answer.map_err(|failure| {
                let unknown = failure.unknown(sts, operation("sts:AssumeRole")).in_account(&self.account);
                caller.common.ledger.note_lost(unknown.why);
                Unknown { region: None, ..unknown }
            })?;
            let given = answer.credentials().ok_or_else(|| self.unknown("sts:AssumeRole", Why::Malformed))?;
            let expiry = SystemTime::try_from(*given.expiration())
                .map_err(|error| self.unknown("sts:AssumeRole", Why::Malformed).saying(error.to_string()))?;
            let credentials = Credentials::new(
                given.access_key_id(),
                given.secret_access_key(),
                Some(given.session_token().to_owned()),
                Some(caller.common.ledger.on_this_clock(expiry)),
                "LocardAssumeRole",
            );
            let arn = self.assert_account(sts, &credentials).await?;
            Ok(Inside::new(credentials, arn, RENEW_BEFORE))
        }
        .boxed()
    }

    async fn assume(
        &self,
        caller: &Caller,
        sts: &Ground,
        role: &Role,
        session: Session,
    ) -> Result<AssumeRoleOutput, Failure<AssumeRoleError>> {
        let role_arn =
            format!("arn:{}:iam::{}:role/{}", caller.partition, self.account, role.name.trim_start_matches('/'));
        let request = AssumeRoleInput::builder()
            .role_arn(role_arn)
            .role_session_name(format!("locard-{}", role.run_id))
            .set_external_id(role.external_id.clone())
            .set_source_identity(role.source_identity.clone())
            .duration_seconds(SESSION_SECONDS)
            .policy(policy_of(session));
        loop {
            let answer = call(sts, Keys::Caller(&caller.provider), &request).await;
            // Whoever has knocked in vain waits like the others.
            if !matches!(&answer, Err(Failure::Unknown(unknown)) if unknown.why != Why::RunEnded && sts.is_shut("sts"))
            {
                return answer;
            }
        }
    }

    /// The ARN of the session, once AWS has said that it is in this account.
    async fn assert_account(&self, sts: &Ground, credentials: &Credentials) -> Told<String> {
        let ground = Ground::new(&sts.common, &self.account, &sts.region);
        let asked = operation("sts:GetCallerIdentity");
        let given = Identity::from(credentials.clone());
        let identity = call(&ground, Keys::Given(&given), &GetCallerIdentityInput::builder())
            .await
            .map_err(|failure| Unknown { region: None, ..failure.unknown(&ground, asked) })?;
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

/// The refusal among the answers to AssumeRole.
fn refusal<T>(answer: &Result<T, Failure<AssumeRoleError>>) -> Option<&SdkError<AssumeRoleError, HttpResponse>> {
    match answer {
        Err(Failure::Refused(error)) => Some(error),
        _ => None,
    }
}

/// Whether an account has STS switched off in the region asked
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_enable-regions.html>).
fn is_switched_off(error: &SdkError<AssumeRoleError, HttpResponse>) -> bool {
    code(error) == Some(STS_SWITCHED_OFF)
}

/// Whether STS finds fault with the credentials and not with what is asked.
fn is_of_credentials(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Expired | Verdict::Unrecognized)
}

fn operation(call: &str) -> &'static Operation {
    operations::find(call).unwrap_or_else(|| panic!("internal error: {call} is not on the list of operations"))
}

/// What a call is made with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Keys<'a> {
    /// The session of an account, made if need be.
    Session(&'a Door),
    /// The caller's own credentials.
    Caller(&'a Kept),
    /// These.
    Given(&'a Identity),
}

impl Keys<'_> {
    /// The identity to sign with, good for some minutes. Asked for before each request, so that entering an account is
    /// not counted against the time the request may take; holding a turn, entering would wait for others' turns.
    pub(crate) async fn identity(self) -> Told<Identity> {
        match self {
            Self::Session(door) => match door.known() {
                Some(known) => known.map(|inside| inside.identity.clone()),
                // On the heap: entering is a call itself.
                None => door.pass().boxed().await.map(|inside| inside.identity.clone()),
            },
            Self::Caller(kept) => kept.still().await.map(Identity::from),
            Self::Given(identity) => Ok(identity.clone()),
        }
    }
}

/// Keeps what the default chain gave until it is about to expire: the chain itself may read files or call SSO on
/// every question.
#[derive(Debug)]
pub(crate) struct Kept {
    inner: SharedCredentialsProvider,
    last: tokio::sync::Mutex<Option<Credentials>>,
    stop: Stop,
}

impl Kept {
    fn new(inner: SharedCredentialsProvider, stop: &Stop) -> Self {
        Self { inner, last: tokio::sync::Mutex::default(), stop: stop.clone() }
    }

    /// The credentials of a run that is under way. Where there are none any more, it ends: that an account cannot be
    /// entered then says nothing of the account.
    async fn still(&self) -> Told<Credentials> {
        let mut error = match self.credentials().await {
            Ok(credentials) => return Ok(credentials),
            Err(error) => error,
        };
        // Where they come from may be away for a moment.
        for _ in 0..SOURCE_ASKED_AGAIN {
            if self.stop.or(tokio::time::sleep(SOURCE_PAUSE)).await.is_none() {
                break;
            }
            match self.credentials().await {
                Ok(credentials) => return Ok(credentials),
                Err(again) => error = again,
            }
        }
        self.stop.stop(Cause::Credentials);
        let said = format!("no credentials: {}", shorten(&chain(Some(&error))));
        Err(Unknown::new("sts:GetCallerIdentity", Why::RunEnded).saying(said))
    }

    async fn credentials(&self) -> Result<Credentials, CredentialsError> {
        let mut last = self.last.lock().await;
        let soon = SystemTime::now() + REFRESH_BEFORE;
        if let Some(credentials) = last.as_ref()
            && credentials.expiry().is_none_or(|expiry| expiry > soon)
        {
            return Ok(credentials.clone());
        }
        match (self.inner.provide_credentials().await, last.as_ref()) {
            (Ok(fresh), _) => {
                *last = Some(fresh.clone());
                Ok(fresh)
            }
            // Those at hand still work for a while.
            (Err(_), Some(old)) if old.expiry().is_some_and(|expiry| expiry > SystemTime::now()) => Ok(old.clone()),
            (Err(error), _) => Err(error),
        }
    }

    /// Asks the chain anew the next time.
    async fn forget(&self) {
        *self.last.lock().await = None;
    }
}

/// Gives the caller's credentials to the SDK.
#[derive(Debug)]
struct Of(Arc<Kept>);

impl ProvideCredentials for Of {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.0.credentials())
    }
}

/// The policies, made once.
fn policy_of(session: Session) -> &'static str {
    static WORKLOADS: LazyLock<String> = LazyLock::new(|| session_policy(Session::Workloads));
    static EVIDENCE: LazyLock<String> = LazyLock::new(|| session_policy(Session::Evidence));
    match session {
        Session::Workloads => &WORKLOADS,
        Session::Evidence => &EVIDENCE,
        Session::Caller => panic!("internal error: the caller's session is not assumed"),
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
