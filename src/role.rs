//! The least privilege an audit needs, generated from the table of operations: the role in every account, who may
//! assume it, and what its caller needs besides.
//!
//! Nothing here is granted that no operation of the table calls.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::inventory::operations::{OPERATIONS, Operation, STORE, Session};
use crate::model::ids::Partition;
use crate::model::prefix::S3Prefix;

/// What the documents are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoleFormat {
    /// A bare policy document.
    Json,
    Terraform,
    /// A template for a StackSet.
    Cloudformation,
}

/// Which side of the door a document is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Document {
    /// The role in every account: what it may do. In Terraform and CloudFormation also who may assume it.
    Role,
    /// Who may assume the role.
    Trust,
    /// What the caller needs: the list of accounts, and the role in each.
    Caller,
}

/// Names the documents speak of.
#[derive(Clone, Debug)]
pub struct RoleOptions {
    /// Name of the role, a path before it if it has one.
    pub role: String,
    pub partition: Partition,
    /// ARN of who assumes the role; a document that needs it asks for it where it can when there is none.
    pub principal: Option<String>,
    pub external_id: Option<String>,
    /// Sessions carry a source identity, which is a permission of its own.
    pub source_identity: bool,
    /// Where the caller keeps its runs, if in a bucket.
    pub store: Option<S3Prefix>,
}

/// A bare policy document cannot ask for who assumes the role, and one that trusts nobody in particular is a hole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a trust policy names who assumes the role, and no principal was given")]
pub struct NoPrincipal;

/// Every action that the role in an account needs.
pub fn actions() -> BTreeSet<&'static str> {
    of_role(OPERATIONS).collect()
}

/// Every action of the caller, in its own account.
pub fn caller_actions() -> BTreeSet<&'static str> {
    OPERATIONS.iter().filter(|op| op.session == Session::Caller).map(|op| op.action).collect()
}

fn of_role(operations: &'static [Operation]) -> impl Iterator<Item = &'static str> {
    operations.iter().filter(|op| op.session != Session::Caller).map(|op| op.action)
}

/// Writes one document; it ends with a line break.
///
/// # Errors
/// A trust policy as JSON without a principal.
pub fn role(format: RoleFormat, document: Document, options: &RoleOptions) -> Result<String, NoPrincipal> {
    Ok(match (format, document) {
        (RoleFormat::Json, Document::Role) => pretty(&permissions()),
        (RoleFormat::Json, Document::Trust) => pretty(&trust(options)?),
        (RoleFormat::Json, Document::Caller) => pretty(&caller(options)),
        (RoleFormat::Terraform, Document::Caller) => terraform_caller(options),
        (RoleFormat::Terraform, Document::Role | Document::Trust) => terraform_role(options),
        (RoleFormat::Cloudformation, Document::Caller) => cloudformation_caller(options),
        (RoleFormat::Cloudformation, Document::Role | Document::Trust) => cloudformation_role(options),
    })
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

/// The permissions of the role: one statement a service. Resources stay open: none of these calls reads content, and
/// most of them cannot be limited to a resource.
fn permissions() -> Value {
    policy(by_service(actions()).into_iter().map(|(sid, actions)| allow(&sid, &actions, "*")).collect())
}

fn caller(options: &RoleOptions) -> Value {
    let (enter, list): (Vec<&str>, Vec<&str>) =
        caller_actions().into_iter().partition(|action| *action == "sts:AssumeRole");
    let role = format!("arn:{}:iam::*:role/{}", options.partition, options.role);
    let mut statements = vec![allow("EnterAccounts", &entering(&enter, options), &role)];
    statements.extend(by_service(list.into_iter().collect()).into_iter().map(|(sid, a)| allow(&sid, &a, "*")));
    statements.extend(options.store.iter().flat_map(|store| keeping(store, &options.partition)));
    policy(statements)
}

/// The only writes: the caller's own runs, below the prefix it named.
fn keeping(store: &S3Prefix, partition: &Partition) -> [Value; 2] {
    let of = |bucket: bool| STORE.iter().filter(|op| op.on_bucket == bucket).map(|op| op.action).collect::<Vec<_>>();
    let bucket = format!("arn:{partition}:s3:::{}", store.bucket());
    let mut find = allow("FindRuns", &of(true), &bucket);
    if let Some(members) = find.as_object_mut() {
        members.insert("Condition".to_owned(), json!({"StringLike": {"s3:prefix": store.key("*")}}));
    }
    [find, allow("KeepRuns", &of(false), &format!("{bucket}/{}", store.key("*")))]
}

fn trust(options: &RoleOptions) -> Result<Value, NoPrincipal> {
    let principal = options.principal.as_ref().ok_or(NoPrincipal)?;
    let mut statement = json!({
        "Sid": "LocardAudits",
        "Effect": "Allow",
        "Principal": {"AWS": principal},
        "Action": entering(&["sts:AssumeRole"], options),
    });
    if let (Some(id), Some(members)) = (&options.external_id, statement.as_object_mut()) {
        members.insert("Condition".to_owned(), json!({"StringEquals": {"sts:ExternalId": id}}));
    }
    Ok(policy(vec![statement]))
}

/// A source identity is set with the same call, and both sides must allow it
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_control-access_monitor.html>).
fn entering<'a>(actions: &[&'a str], options: &RoleOptions) -> Vec<&'a str> {
    let mut actions = actions.to_vec();
    if options.source_identity {
        actions.push("sts:SetSourceIdentity");
    }
    actions
}

fn policy(statements: Vec<Value>) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

fn allow(sid: &str, actions: &[&str], resource: &str) -> Value {
    json!({"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource})
}

/// Actions by statement id, which may hold letters and digits only.
fn by_service(actions: BTreeSet<&str>) -> BTreeMap<String, Vec<&str>> {
    let mut statements: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for action in actions {
        let service = action.split(':').next().unwrap_or(action);
        let name: String = service.chars().filter(char::is_ascii_alphanumeric).collect();
        let (first, rest) = name.split_at(name.len().min(1));
        statements.entry(format!("Read{}{rest}", first.to_uppercase())).or_default().push(action);
    }
    statements
}

// ---- Terraform ----

/// A policy document as a Terraform expression: JSON is one, but for interpolation. Keys as `terraform fmt` sets them.
fn hcl(document: &Value, indent: usize) -> String {
    let text = format!("{document:#}").replace("${", "$${").replace("%{", "%%{");
    let lines: Vec<String> = text.lines().map(|line| line.replacen("\": ", "\" : ", 1)).collect();
    indented(&lines.join("\n"), indent)
}

fn indented(text: &str, indent: usize) -> String {
    text.lines().collect::<Vec<_>>().join(&format!("\n{}", " ".repeat(indent)))
}

/// A quoted Terraform string.
fn hcl_text(text: &str) -> String {
    Value::from(text).to_string().replace("${", "$${").replace("%{", "%%{")
}

/// The path and the name of a role, `/` and `/path/`.
fn path_and_name(role: &str) -> (String, &str) {
    role.rsplit_once('/').map_or(("/".to_owned(), role), |(path, name)| (format!("/{path}/"), name))
}

fn default_line(value: Option<&String>) -> String {
    value.map_or_else(String::new, |text| format!("\n  default     = {}", hcl_text(text)))
}

fn terraform_role(options: &RoleOptions) -> String {
    let (path, name) = path_and_name(&options.role);
    format!(
        r#"# The role that locard audits an account with: it reads configuration, never content. One per account.

variable "locard_principal" {{
  description = "ARN of the user or role that runs locard."
  type        = string{principal}
}}

variable "locard_external_id" {{
  description = "External id that locard presents; null asks for none."
  type        = string
{external_id}
}}

resource "aws_iam_role" "locard" {{
  name                 = {name}
  path                 = {path}
  max_session_duration = 3600
  assume_role_policy = jsonencode({{
    Version = "2012-10-17"
    Statement = [merge({{
      Sid       = "LocardAudits"
      Effect    = "Allow"
      Principal = {{ AWS = var.locard_principal }}
      Action    = {actions}
      }}, {{
      for key, condition in {{ Condition = {{ StringEquals = {{ "sts:ExternalId" = var.locard_external_id }} }} }} :
      key => condition if var.locard_external_id != null
    }})]
  }})
}}

resource "aws_iam_role_policy" "locard" {{
  name = "locard-read-only"
  role = aws_iam_role.locard.id
  policy = jsonencode({policy})
}}
"#,
        principal = default_line(options.principal.as_ref()),
        external_id = match &options.external_id {
            Some(id) => format!("  default     = {}", hcl_text(id)),
            None => "  default     = null".to_owned(),
        },
        name = hcl_text(name),
        path = hcl_text(&path),
        actions = Value::from(entering(&["sts:AssumeRole"], options)),
        policy = hcl(&permissions(), 2),
    )
}

fn terraform_caller(options: &RoleOptions) -> String {
    format!(
        r#"# What whoever runs locard needs besides the role in every account.

resource "aws_iam_policy" "locard_caller" {{
  name = "locard-caller"
  policy = jsonencode({policy})
}}
"#,
        policy = hcl(&caller(options), 2),
    )
}

// ---- CloudFormation ----

/// A policy document as YAML: JSON is YAML, but CloudFormation reads better without the braces of each list.
fn statements(document: &Value, indent: usize) -> String {
    let pad = " ".repeat(indent);
    let mut text = String::new();
    for statement in document["Statement"].as_array().into_iter().flatten() {
        text.push_str(&format!("{pad}- Sid: {}\n", yaml(&statement["Sid"])));
        text.push_str(&format!("{pad}  Effect: Allow\n{pad}  Action:\n"));
        for action in statement["Action"].as_array().into_iter().flatten() {
            text.push_str(&format!("{pad}    - {}\n", yaml(action)));
        }
        text.push_str(&format!("{pad}  Resource: {}\n", statement["Resource"]));
        if let Some(condition) = statement.get("Condition") {
            text.push_str(&format!("{pad}  Condition: {condition}\n"));
        }
    }
    text
}

/// A scalar, bare where that is safe: IAM actions and statement ids hold letters, digits and a colon.
fn yaml(value: &Value) -> String {
    match value.as_str() {
        Some(text) if text.bytes().all(|b| b.is_ascii_alphanumeric() || b":-".contains(&b)) => text.to_owned(),
        _ => value.to_string(),
    }
}

fn cloudformation_role(options: &RoleOptions) -> String {
    let (path, name) = path_and_name(&options.role);
    let default =
        |value: Option<&String>| value.map_or_else(String::new, |text| format!("\n    Default: {}", json!(text)));
    let source_identity = if options.source_identity { "\n              - sts:SetSourceIdentity" } else { "" };
    format!(
        r#"AWSTemplateFormatVersion: "2010-09-09"
Description: The role that locard audits an account with. It reads configuration, never content.
Parameters:
  Principal:
    Type: String
    Description: ARN of the user or role that runs locard.{principal}
  ExternalId:
    Type: String
    Description: External id that locard presents; empty asks for none.
    Default: {external_id}
Conditions:
  AsksForExternalId: !Not [!Equals [!Ref ExternalId, ""]]
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      RoleName: {name}
      Path: {path}
      MaxSessionDuration: 3600
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement:
          - Sid: LocardAudits
            Effect: Allow
            Principal:
              AWS: !Ref Principal
            Action:
              - sts:AssumeRole{source_identity}
            Condition: !If
              - AsksForExternalId
              - StringEquals:
                  sts:ExternalId: !Ref ExternalId
              - !Ref AWS::NoValue
      Policies:
        - PolicyName: locard-read-only
          PolicyDocument:
            Version: "2012-10-17"
            Statement:
{statements}Outputs:
  RoleArn:
    Value: !GetAtt Role.Arn
"#,
        principal = default(options.principal.as_ref()),
        external_id = json!(options.external_id.as_deref().unwrap_or("")),
        name = json!(name),
        path = json!(path),
        statements = statements(&permissions(), 14),
    )
}

fn cloudformation_caller(options: &RoleOptions) -> String {
    format!(
        r#"AWSTemplateFormatVersion: "2010-09-09"
Description: What whoever runs locard needs besides the role in every account.
Resources:
  Policy:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      ManagedPolicyName: locard-caller
      PolicyDocument:
        Version: "2012-10-17"
        Statement:
{statements}Outputs:
  PolicyArn:
    Value: !Ref Policy
"#,
        statements = statements(&caller(options), 10),
    )
}
