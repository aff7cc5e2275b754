#!/usr/bin/env python3
"""Run a moto server without the gaps that would make an honest auditor say "unknown".

Usage:
    MOTO_EC2_LOAD_DEFAULT_AMIS=false python server.py [--host 127.0.0.1] [--port 5000]

moto answers HTTP 500 to an operation it lacks, so an auditor cannot tell that the account has no
resource of that kind. Five things differ from plain moto, each towards what AWS does:

- An operation of EMPTY_LISTS answers its lists, all empty. moto is asked first: it has checked
  IAM and recorded the request before it gives up, and what it does implement stays its own.
- DescribeEndpoint tells the state of data capture, which AWS derives from the configuration.
- DescribeEndpoint and GetModelInvocationLoggingConfiguration leave out a setting that was never
  made, where moto sends `{}`.
- CloudWatch is corrected as cloudwatch.py says.
- S3 checks permissions as s3.py says.

Everything else, /moto-api included, is moto's, untouched.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from botocore.model import OperationModel
from botocore.session import Session
from moto.moto_server import werkzeug_app
from moto.sagemaker.models import sagemaker_backends
from moto.utilities.aws_headers import gen_amzn_requestid_long
from werkzeug.serving import run_simple
from werkzeug.wrappers import Response

import cloudwatch
import s3

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

# Operations that moto lacks, each a list that no seed puts anything into.
EMPTY_LISTS = (
    ("bedrock", "ListEvaluationJobs"),
    ("bedrock", "ListGuardrails"),
    ("bedrock", "ListImportedModels"),
    ("bedrock", "ListInferenceProfiles"),
    ("bedrock", "ListModelImportJobs"),
    ("bedrock", "ListModelInvocationJobs"),
    ("bedrock", "ListProvisionedModelThroughputs"),
    ("bedrock-agent", "ListAgentActionGroups"),
    ("bedrock-agent", "ListAgentAliases"),
    ("bedrock-agent", "ListDataSources"),
    ("bedrock-agent", "ListFlows"),
    ("bedrock-agent", "ListPrompts"),
    ("cloudtrail", "ListChannels"),
    ("cloudtrail", "ListEventDataStores"),
    ("logs", "DescribeAccountPolicies"),
    ("sagemaker", "ListApps"),
    ("sagemaker", "ListFeatureGroups"),
    ("sagemaker", "ListInferenceComponents"),
    ("sagemaker", "ListInferenceExperiments"),
    ("sagemaker", "ListLabelingJobs"),
    ("sagemaker", "ListMlflowTrackingServers"),
    ("sagemaker", "ListMonitoringSchedules"),
    ("sagemaker", "ListSpaces"),
    ("sagemaker", "ListUserProfiles"),
)


def complete_data_capture(endpoint: dict[str, Any]) -> None:
    """Add what AWS tells of data capture beyond what moto does, or drop a setting never made."""
    summary = endpoint.get("DataCaptureConfig")
    if not summary:
        endpoint.pop("DataCaptureConfig", None)
        return
    _, _, _, region, account_id, _ = endpoint["EndpointArn"].split(":", 5)
    # The answer has no sampling percentage at all; only moto's own record of the endpoint has.
    record = sagemaker_backends[account_id][region].endpoints[endpoint["EndpointName"]]
    summary["CaptureStatus"] = "Started" if summary.get("EnableCapture") else "Stopped"
    summary["CurrentSamplingPercentage"] = record.data_capture_config["InitialSamplingPercentage"]


def drop_empty_logging(answer: dict[str, Any]) -> None:
    if not answer.get("loggingConfig"):
        answer.pop("loggingConfig", None)


CORRECTIONS: dict[tuple[str, str], Callable[[dict[str, Any]], None]] = {
    ("bedrock", "GetModelInvocationLoggingConfiguration"): drop_empty_logging,
    ("sagemaker", "DescribeEndpoint"): complete_data_capture,
}


@dataclass(frozen=True)
class Operation:
    """How to recognize a request for one operation, and what an answer without results is."""

    signing_name: str
    call: re.Pattern[str]  # matches what called() returns
    content_type: str
    empty_answer: bytes
    correct: Callable[[dict[str, Any]], None] | None

    @classmethod
    def from_model(cls, session: Session, service: str, name: str) -> Operation:
        model = session.get_service_model(service)
        operation = model.operation_model(name)
        if model.protocol == "json":
            call, content_type = name, f"application/x-amz-json-{model.metadata['jsonVersion']}"
        else:
            call, content_type = rest_call(operation), "application/json"
        answer = json.dumps(empty_lists(operation)).encode()
        correct = CORRECTIONS.get((service, name))
        return cls(model.signing_name, re.compile(call), content_type, answer, correct)


def rest_call(operation: OperationModel) -> str:
    """Return a pattern of method and path; a label is one segment, a final slash optional."""
    path = re.sub(r"\{\w+\}", "[^/]+", operation.http["requestUri"].rstrip("/"))
    return f"{operation.http['method']} {path}/?"


def empty_lists(operation: OperationModel) -> dict[str, list[Any]]:
    """Return the answer to a list operation that finds nothing."""
    return {
        shape.serialization.get("name", member): []
        for member, shape in operation.output_shape.members.items()
        if shape.type_name == "list"
    }


def called(environ: WSGIEnvironment) -> tuple[str, str]:
    """Return the signing name, and the operation's name (JSON) or method and path (REST)."""
    scope = re.search(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    # SDKs differ in what they put before the operation's name.
    call = target.rpartition(".")[2] or f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
    return scope[1] if scope else "", call


class FilledMoto:
    """moto as a WSGI application, its gaps filled."""

    def __init__(self, moto: WSGIApplication) -> None:
        session = Session()
        self._moto = moto
        names = (*EMPTY_LISTS, *CORRECTIONS)
        self._operations = [Operation.from_model(session, *name) for name in names]

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        operation = self._find(*called(environ))
        if operation and operation.correct:
            response = Response.from_app(self._moto, environ, buffered=True)
            if response.status_code == HTTPStatus.OK:
                answer = json.loads(response.get_data())
                operation.correct(answer)
                response.set_data(json.dumps(answer))
            return response(environ, start_response)
        try:
            return self._moto(environ, start_response)
        except NotImplementedError:
            if not operation:
                raise
            response = Response(operation.empty_answer, content_type=operation.content_type)
            response.headers["x-amzn-requestid"] = gen_amzn_requestid_long()
            return response(environ, start_response)

    def _find(self, signing_name: str, call: str) -> Operation | None:
        for operation in self._operations:
            if operation.signing_name == signing_name and operation.call.fullmatch(call):
                return operation
        return None


def end_with_input() -> None:
    """Wait until standard input closes, then end the process."""
    while sys.stdin.buffer.read(1):
        pass
    os._exit(0)


def main() -> None:
    parser = argparse.ArgumentParser(description="Run a moto server with its gaps filled.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=5000)
    parser.add_argument("--until-eof", action="store_true", help="end when standard input closes")
    arguments = parser.parse_args()
    if arguments.until_eof:
        # Whoever started the server holds the other end, so that it cannot outlive them.
        threading.Thread(target=end_with_input, daemon=True).start()
    cloudwatch.correct()
    s3.correct()
    app = FilledMoto(werkzeug_app.DomainDispatcherApplication(werkzeug_app.create_backend_app))
    handler = werkzeug_app.MotoRequestHandler
    run_simple(arguments.host, arguments.port, app, threaded=True, request_handler=handler)


if __name__ == "__main__":
    main()
