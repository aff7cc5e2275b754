#!/usr/bin/env python3
"""Change a seeded moto server.

Usage:
    python change.py --endpoint-url http://127.0.0.1:5000 allow ACTION...
    python change.py --endpoint-url http://127.0.0.1:5000 confine ACTION...
    python change.py --endpoint-url http://127.0.0.1:5000 hostile

`allow` lets the audit role of every account, and the auditor, do exactly these actions, and has IAM enforced.
`confine` lets the auditor do these actions in its own account and assume no role, and has IAM enforced.
`hostile` gives an account, an endpoint, a training job, log groups and a trail names that are meant to break an
output, and turns IAM enforcement off.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from botocore.exceptions import ClientError
from seed_org import (
    AUDIT_ROLE,
    AUDITOR_USER,
    BOOTSTRAP_ROLE,
    MANAGEMENT_ID,
    Account,
    MotoServer,
    create_log_group,
    deploy_endpoint,
    policy,
    run_training_job,
)

CALLER_SERVICES = ("organizations:", "sts:")

HOSTILE_NAMES = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "=cmd|' /C calc'!A0",
    "a|b",
    "[x](javascript:alert(1))",
    "\x1b[31mred\x1b[0m",
    "{{ 7 * 7 }}{% raw %}",
    "line\nbreak",
    "\u202egnp.exe",
    "long" * 250,
)


def accounts(server: MotoServer) -> Iterator[Account]:
    """Sign in to every account of the organization, management first."""
    client = server.sign_in(aws_access_key_id="seed", aws_secret_access_key="seed")
    yield Account(MANAGEMENT_ID, "management", client)
    for page in client("organizations").get_paginator("list_accounts").paginate():
        for listed in page["Accounts"]:
            if listed["Id"] != MANAGEMENT_ID:
                yield enter(server, client, listed["Id"], listed["Name"])


def enter(server: MotoServer, client: object, account_id: str, name: str) -> Account:
    credentials = client("sts").assume_role(
        RoleArn=f"arn:aws:iam::{account_id}:role/{BOOTSTRAP_ROLE}", RoleSessionName="change"
    )["Credentials"]
    return Account(
        account_id,
        name,
        server.sign_in(
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials["SessionToken"],
        ),
    )


def allow(server: MotoServer, actions: list[str]) -> None:
    """Let the audit roles do these actions, and the auditor those that come before a role is assumed."""
    own = [action for action in actions if action.startswith(CALLER_SERVICES)]
    enrolled = []
    for account in accounts(server):
        iam = account.client("iam")
        document = policy({"Effect": "Allow", "Action": actions, "Resource": "*"})
        try:
            iam.get_role(RoleName=AUDIT_ROLE)
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchEntity":
                raise
            continue
        iam.put_role_policy(RoleName=AUDIT_ROLE, PolicyName="read-configuration", PolicyDocument=document)
        enrolled.append(account.role_arn(AUDIT_ROLE))
        if account.id == MANAGEMENT_ID:
            management = account
    listing = [action for action in own if action != "sts:AssumeRole"]
    statements = [{"Effect": "Allow", "Action": listing, "Resource": "*"}] if listing else []
    if "sts:AssumeRole" in own:
        statements.append({"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": enrolled})
    allow_auditor(management, *statements)


def confine(server: MotoServer, actions: list[str]) -> None:
    management = next(accounts(server))
    allow_auditor(management, {"Effect": "Allow", "Action": actions, "Resource": "*"})


def allow_auditor(management: Account, *statements: dict[str, object]) -> None:
    management.client("iam").put_user_policy(
        UserName=AUDITOR_USER, PolicyName="sweep-organization", PolicyDocument=policy(*statements)
    )


def name_hostilely(server: MotoServer) -> None:
    """Create resources with hostile names in ml-dev, and accounts called so that run an endpoint."""
    everyone = list(accounts(server))
    organizations = everyone[0].client("organizations")
    (dev,) = (account for account in everyone if account.purpose == "ml-dev")
    bucket = dev.bucket_name("scratch")
    for name in HOSTILE_NAMES:
        deploy_endpoint(dev, "us-east-1", name)
        run_training_job(dev, "us-east-1", name, training_bucket=bucket, model_bucket=bucket)
        create_log_group(dev, "us-east-1", f"/aws/sagemaker/Endpoints/{name}"[:512])
    for number, name in enumerate(HOSTILE_NAMES):
        created = organizations.create_account(AccountName=name, Email=f"hostile-{number}@aws.example.com")
        account_id = created["CreateAccountStatus"]["AccountId"]
        deploy_endpoint(enter(server, everyone[0].client, account_id, name), "us-east-1", "named-by-its-owner")


def main() -> None:
    parser = argparse.ArgumentParser(description="Change a seeded moto server.")
    parser.add_argument("--endpoint-url", required=True, help="where the moto server listens")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, meaning in (
        ("allow", "let the audit role do exactly these actions"),
        ("confine", "let the auditor do these actions in its own account, and enter no other"),
    ):
        commands.add_parser(name, help=meaning).add_argument("actions", nargs="+", metavar="ACTION")
    commands.add_parser("hostile", help="add resources and accounts with hostile names")
    arguments = parser.parse_args()
    server = MotoServer(arguments.endpoint_url)
    server.stop_enforcing_iam()
    if arguments.command == "hostile":
        name_hostilely(server)
        return
    (allow if arguments.command == "allow" else confine)(server, arguments.actions)
    server.enforce_iam()


if __name__ == "__main__":
    main()
