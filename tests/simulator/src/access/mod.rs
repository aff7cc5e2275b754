//! Who calls, and whether they may: signatures, sessions, session policies, service control policies, regions.
//!
//! What is answered to those who may is in `services`.

/// Whose credentials signed a request.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    /// The account the credentials belong to.
    pub(crate) account: String,
    /// `arn:aws:iam::123456789012:user/auditor` or `arn:aws:sts::123456789012:assumed-role/Role/session`.
    pub(crate) arn: String,
    /// What GetCallerIdentity calls UserId.
    pub(crate) user_id: String,
}
