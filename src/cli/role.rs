//! `locard role`: the least-privilege role, generated from the operations locard may call.

use clap::{Args, ValueEnum};

use crate::cli::args::Global;
use crate::cli::exit::{Exit, Refused};
use crate::cli::out;
use crate::config;
use crate::model::ids::{AccountId, Arn, Partition};
use crate::model::prefix::S3Prefix;
use crate::role::{self, Document, RoleFormat, RoleOptions};

#[derive(Args)]
pub(super) struct RoleArgs {
    /// What to write it in
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = FormatArg::Json)]
    format: FormatArg,
    /// Which document: what the role may do, who may assume it, or what the caller of locard needs
    #[arg(long, value_name = "DOCUMENT", value_enum, default_value_t = DocumentArg::Role)]
    document: DocumentArg,
    /// Name of the role; default as configured, else LocardAudit
    #[arg(long, value_name = "NAME", value_parser = role_name)]
    role: Option<String>,
    /// ARN of the user or role that runs locard
    #[arg(long, value_name = "ARN", value_parser = principal)]
    principal: Option<String>,
    /// External id that locard presents; default as configured
    #[arg(long, value_name = "ID")]
    external_id: Option<String>,
    /// Also what the caller needs to keep its runs here, such as s3://bucket/prefix; with --document caller
    #[arg(long, value_name = "S3", value_parser = S3Prefix::parse)]
    store: Option<S3Prefix>,
    /// Partition of the role ARNs: aws, aws-cn, aws-us-gov
    #[arg(long, value_name = "PARTITION", default_value = "aws")]
    partition: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FormatArg {
    Json,
    Terraform,
    Cloudformation,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum DocumentArg {
    Role,
    Trust,
    Caller,
}

pub(super) fn run(global: &Global, args: RoleArgs) -> anyhow::Result<Exit> {
    let config = global.config()?;
    let options = RoleOptions {
        role: args.role.unwrap_or(config.role),
        partition: Partition::new(args.partition),
        principal: args.principal,
        external_id: args.external_id.or(config.external_id),
        source_identity: config.source_identity.is_some(),
        store: args.store,
    };
    let format = match args.format {
        FormatArg::Json => RoleFormat::Json,
        FormatArg::Terraform => RoleFormat::Terraform,
        FormatArg::Cloudformation => RoleFormat::Cloudformation,
    };
    let document = match args.document {
        DocumentArg::Role => Document::Role,
        DocumentArg::Trust => Document::Trust,
        DocumentArg::Caller => Document::Caller,
    };
    let text = role::role(format, document, &options)
        .map_err(|e| Refused::usage(e.to_string(), "give --principal, the ARN of the user or role that runs locard"))?;
    out::print(&text)?;
    Ok(Exit::Done)
}

/// Whoever may assume the role has a name: a user, a role, a session, or an account as a whole.
fn principal(text: &str) -> Result<String, String> {
    let named = match Arn::parse(text) {
        Some(arn) => matches!(arn.service, "iam" | "sts") && AccountId::parse(arn.account).is_ok(),
        None => AccountId::parse(text).is_ok(),
    };
    named.then(|| text.to_owned()).ok_or_else(|| {
        "neither the ARN of a user or role, such as arn:aws:iam::111122223333:role/Auditor, nor the twelve digits of an \
         account"
            .to_owned()
    })
}

fn role_name(text: &str) -> Result<String, String> {
    config::role_name(text).map(|()| text.to_owned())
}
