"""Which requests Firecracker's API takes, when, and with what in them. Knows no machine.

Written from Firecracker's documentation and swagger, not from the driver that it is there to test.
"""
import json
import re

MAX_BODY = 51200
MAX_COMMAND_LINE = 2048


class Fault(Exception):
    """Answered as 400 {"fault_message": ...}."""


class Field:
    def __init__(self, kind, required=False, values=None, low=None, high=None):
        self.kind, self.required, self.values, self.low, self.high = kind, required, values, low, high

    def check(self, name, value):
        kinds = {"string": str, "integer": int, "boolean": bool, "object": dict, "array": list}
        is_bool_as_int = self.kind == "integer" and isinstance(value, bool)
        if not isinstance(value, kinds[self.kind]) or is_bool_as_int:
            raise Fault(f"invalid type for `{name}`, expected {self.kind}")
        if self.values and value not in self.values:
            raise Fault(f"unknown variant `{value}` for `{name}`, expected one of {', '.join(self.values)}")
        if (self.low is not None and value < self.low) or (self.high is not None and value > self.high):
            raise Fault(f"`{name}` is out of range: {value}")


def need(kind, **limits):
    return Field(kind, True, **limits)


TEXT, FLAG, NUMBER, OBJECT = Field("string"), Field("boolean"), Field("integer"), Field("object")

BODIES = {
    "logger": {"log_path": TEXT, "level": TEXT, "show_level": FLAG, "show_log_origin": FLAG, "module": TEXT},
    "metrics": {"metrics_path": need("string")},
    "serial": {"serial_out_path": TEXT, "rate_limiter": OBJECT},
    "machine-config": {"vcpu_count": need("integer", low=1, high=32), "mem_size_mib": need("integer", low=1), "smt": FLAG, "track_dirty_pages": FLAG,
                       "huge_pages": Field("string", values=["None", "2M"]), "cpu_template": TEXT},
    "boot-source": {"kernel_image_path": need("string"), "initrd_path": TEXT, "boot_args": TEXT},
    "drive": {"drive_id": need("string"), "path_on_host": TEXT, "is_root_device": need("boolean"), "is_read_only": FLAG, "partuuid": TEXT,
              "cache_type": Field("string", values=["Unsafe", "Writeback"]), "io_engine": Field("string", values=["Sync", "Async"]),
              "rate_limiter": OBJECT, "socket": TEXT},
    "vsock": {"guest_cid": need("integer", low=3), "uds_path": need("string"), "vsock_id": TEXT},
    "entropy": {"rate_limiter": OBJECT},
    "actions": {"action_type": need("string", values=["FlushMetrics", "InstanceStart", "SendCtrlAltDel"])},
    "vm": {"state": need("string", values=["Paused", "Resumed"])},
}

BEFORE, AFTER, ALWAYS = "before", "after", "always"
PUTS = {"/logger": ("logger", BEFORE), "/metrics": ("metrics", BEFORE), "/serial": ("serial", BEFORE), "/machine-config": ("machine-config", BEFORE),
        "/boot-source": ("boot-source", BEFORE), "/vsock": ("vsock", BEFORE), "/entropy": ("entropy", BEFORE), "/actions": ("actions", ALWAYS)}
PATCHES = {"/vm": ("vm", AFTER)}
GETS = ("/", "/version", "/vm/config", "/machine-config")
DRIVE = re.compile(r"/drives/([A-Za-z0-9_]+)\Z")


def parse_body(raw):
    if not raw:
        raise Fault("Empty PUT/PATCH request.")
    try:
        body = json.loads(raw)
    except ValueError as problem:
        raise Fault(f"An error occurred when deserializing the json body of a request: {problem}.") from None
    if not isinstance(body, dict):
        raise Fault("An error occurred when deserializing the json body of a request: expected a map.")
    return body


def check_body(kind, body, version):
    fields = BODIES[kind]
    unknown = [name for name in body if name not in fields]
    if unknown:
        raise Fault(f"An error occurred when deserializing the json body of a request: unknown field `{unknown[0]}`, expected one of {', '.join(fields)}.")
    for name, field in fields.items():
        if name in body and body[name] is not None:
            field.check(name, body[name])
        elif field.required:
            raise Fault(f"An error occurred when deserializing the json body of a request: missing field `{name}`.")
    if kind == "serial" and "rate_limiter" in body and version < (1, 16):
        raise Fault("An error occurred when deserializing the json body of a request: unknown field `rate_limiter`.")


def route(method, path, raw, version, started):
    """(kind, body, name in the path) of a request that may be carried out now; Fault for every other."""
    if method == "GET":
        if raw:
            raise Fault("GET request cannot have a body.")
        if path not in GETS:
            raise Fault(f"Invalid request method and/or path: GET {path}.")
        return "get", None, path
    drive = DRIVE.match(path)
    known = ("drive", BEFORE) if method == "PUT" and drive else {"PUT": PUTS, "PATCH": PATCHES}.get(method, {}).get(path)
    if known is None or (path == "/serial" and version < (1, 14)):
        raise Fault(f"Invalid request method and/or path: {method} {path}.")
    kind, when = known
    body = parse_body(raw)
    check_body(kind, body, version)
    if when == BEFORE and started:
        raise Fault("The requested operation is not supported after starting the microVM.")
    if when == AFTER and not started:
        raise Fault("The requested operation is not supported before starting the microVM.")
    if kind == "drive" and body["drive_id"] != drive.group(1):
        raise Fault("The id from the path does not match the id from the body!")
    return kind, body, path
