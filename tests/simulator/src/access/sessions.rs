//! The credentials that exist: those of the user who starts, and those of the sessions made by AssumeRole.
//!
//! Who may make a session is decided in `services::sts`.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::Identity;
use super::policy::Policy;

/// Ways to hold the sessions, so that thousands of requests do not wait for one lock.
const SHARDS: usize = 32;

/// The access key of the user who starts, and its secret. They open nothing but a simulator.
pub(crate) const USER_KEY: &str = "AKIASIMULATEDAUDITOR";
pub(crate) const USER_SECRET: &str = "simulated/secret/of/the/simulated/auditor";

/// One set of credentials.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) identity: Identity,
    pub(crate) access_key: String,
    pub(crate) secret: String,
    /// None: a long-lived key.
    pub(crate) token: Option<String>,
    pub(crate) expires: Option<Timestamp>,
    /// None: not narrowed.
    pub(crate) policy: Option<Policy>,
}

/// All of them, by access key.
pub(crate) struct Sessions {
    shards: Vec<RwLock<HashMap<String, Arc<Session>>>>,
    hasher: RandomState,
    made: AtomicU64,
}

impl Sessions {
    /// With the user who starts, in this account.
    pub(crate) fn new(account: &str) -> Self {
        let sessions = Self {
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
            hasher: RandomState::new(),
            made: AtomicU64::new(0),
        };
        sessions.insert(Session {
            identity: Identity {
                account: account.to_owned(),
                arn: format!("arn:aws:iam::{account}:user/auditor"),
                user_id: "AIDASIMULATEDAUDITOR".to_owned(),
                role: false,
            },
            access_key: USER_KEY.to_owned(),
            secret: USER_SECRET.to_owned(),
            token: None,
            expires: None,
            policy: None,
        });
        sessions
    }

    pub(crate) fn find(&self, access_key: &str) -> Option<Arc<Session>> {
        let shard = self.shard(access_key)?;
        shard.read().unwrap_or_else(PoisonError::into_inner).get(access_key).cloned()
    }

    /// Makes a session of a role.
    pub(crate) fn make(
        &self,
        account: &str,
        role: &str,
        name: &str,
        expires: Timestamp,
        policy: Option<Policy>,
    ) -> Arc<Session> {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let digest = hex(&Sha256::digest(format!("{account} {role} {number}")));
        // The path of a role is no part of the ARN of its sessions.
        let short = role.rsplit('/').next().unwrap_or(role);
        self.insert(Session {
            identity: Identity {
                account: account.to_owned(),
                arn: format!("arn:aws:sts::{account}:assumed-role/{short}/{name}"),
                user_id: format!("AROA{}:{name}", digest[..17].to_uppercase()),
                role: true,
            },
            access_key: format!("ASIA{number:016}"),
            secret: digest[..40].to_owned(),
            token: Some(format!("simulated-session-token/{digest}")),
            expires: Some(expires),
            policy,
        })
    }

    fn insert(&self, session: Session) -> Arc<Session> {
        let session = Arc::new(session);
        if let Some(shard) = self.shard(&session.access_key) {
            let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
            shard.insert(session.access_key.clone(), session.clone());
        }
        session
    }

    fn shard(&self, access_key: &str) -> Option<&RwLock<HashMap<String, Arc<Session>>>> {
        let at = self.hasher.hash_one(access_key) as usize % SHARDS;
        self.shards.get(at)
    }
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |half: u8| char::from(DIGITS[usize::from(half & 15)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}
