"""InfluxDB's own client against the stand-in: what it writes comes back, and what a
server has to refuse is refused in the way the client expects."""

import sys
from datetime import datetime, timezone

from influxdb_client import BucketRetentionRules, InfluxDBClient, Point
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.domain.write_precision import WritePrecision
from influxdb_client.rest import ApiException

url, token, org, bucket = sys.argv[1:]
AT = datetime(2026, 6, 3, 6, 0, 0, 123000, tzinfo=timezone.utc)


def refused(status, call):
    try:
        call()
    except ApiException as error:
        assert error.status == status, f"{error.status} instead of {status}: {error}"
        return error.message or error.body
    raise AssertionError(f"{status} was expected")


def flux(measurement, park="fanshi"):
    return (
        f'from(bucket: "{bucket}") '
        "|> range(start: 2026-06-03T06:00:00Z, stop: 2026-06-03T07:00:00Z) "
        f'|> filter(fn: (r) => r._measurement == "{measurement}" and r.park == "{park}")'
    )


def point(value, field="power_w", meter="pcc, main"):
    return Point("electricity").tag("park", "fanshi").tag("meter", meter).field(field, value)


for gzip in (False, True):
    with InfluxDBClient(url=url, token=token, org=org, enable_gzip=gzip) as client:
        assert client.health().status == "pass"
        assert client.ready().status == "ready"
        assert client.ping()
        assert client.version() == "v2.7.0-stand-in"
        write = client.write_api(write_options=SYNCHRONOUS)

        value = 1.25 if gzip else 1.5
        other = "weather" if gzip else "heat"
        rows = [
            point(value).time(AT, WritePrecision.MS),
            point(42, "energy_import_count", "m 2").time(AT, WritePrecision.MS),
            point("say \"hi\", \\o/", "note").time(AT, WritePrecision.MS),
            point(True, "open").time(AT, WritePrecision.MS),
        ]
        write.write(bucket, record=rows, write_precision=WritePrecision.MS)

        records = [r for t in client.query_api().query(flux("electricity")) for r in t.records]
        found = {(r["meter"], r.get_field()): r.get_value() for r in records}
        assert found == {
            ("pcc, main", "power_w"): value,
            ("m 2", "energy_import_count"): 42,
            ("pcc, main", "note"): "say \"hi\", \\o/",
            ("pcc, main", "open"): True,
        }, found
        assert all(r.get_time() == AT and r["park"] == "fanshi" for r in records)
        assert all(r.get_measurement() == "electricity" for r in records)
        assert client.query_api().query(flux(other)) == []
        assert client.query_api().query(flux("electricity", "elsewhere")) == []

        # A malformed row: nothing of the batch is stored.
        bad = "electricity,park=fanshi power_w=1 1780466400001\nelectricity power_w=NaN 1"
        message = refused(400, lambda: write.write(bucket, record=bad, write_precision="ms"))
        assert "unable to parse" in message, message
        # A conflict of types: the rest is stored.
        mixed = (
            f"{other},park=fanshi power_w=1.0 1780466400002\n"
            "electricity,park=fanshi power_w=1i 1780466400002"
        )
        message = refused(422, lambda: write.write(bucket, record=mixed, write_precision="ms"))
        assert "field type conflict" in message and "dropped=1" in message, message
        records = [r for t in client.query_api().query(flux("electricity")) for r in t.records]
        assert len(records) == 4
        assert len(client.query_api().query(flux(other))) == 1
        refused(400, lambda: write.write(bucket, record="", write_precision="ms"))
        write.write(bucket, record="# nothing", write_precision="ms")

        refused(404, lambda: write.write("nowhere", record="m a=1 1"))
        refused(404, lambda: write.write(bucket, org="nobody", record="m a=1 1"))
        refused(400, lambda: client.query_api().query(flux("heat") + " |> last()"))
        refused(400, lambda: client.query_api().query('buckets()'))

        buckets = client.buckets_api()
        assert buckets.find_bucket_by_name(bucket).retention_rules == []
        if not gzip:
            assert buckets.find_bucket_by_name("fresh") is None
            rules = BucketRetentionRules(type="expire", every_seconds=7200)
            made = buckets.create_bucket(bucket_name="fresh", retention_rules=rules, org=org)
            assert made.name == "fresh"
        assert buckets.find_bucket_by_name("fresh").retention_rules[0].every_seconds == 7200
        refused(422, lambda: buckets.create_bucket(bucket_name="fresh", org=org))

with InfluxDBClient(url=url, token="wrong", org=org) as client:
    write = client.write_api(write_options=SYNCHRONOUS)
    refused(401, lambda: write.write(bucket, record="m a=1 1"))
    refused(401, lambda: client.query_api().query(flux("heat")))
