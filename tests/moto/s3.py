"""Make moto check the IAM actions that AWS checks when a bucket's settings are read.

moto knows the actions of some settings only, and checks `s3:ListBucket` for the others, so that a role
without the right permission could read them.
"""

from __future__ import annotations

from moto.s3.responses import ACTION_MAP

ACTIONS = {
    "encryption": "GetEncryptionConfiguration",
    "object-lock": "GetBucketObjectLockConfiguration",
    "ownershipControls": "GetBucketOwnershipControls",
    "publicAccessBlock": "GetBucketPublicAccessBlock",
    "replication": "GetReplicationConfiguration",
}


def correct() -> None:
    """Correct the moto of this process."""
    ACTION_MAP["BUCKET"]["GET"].update(ACTIONS)
