"""Whose requests are answered, by the Host header."""

import pytest

from rolloutd.endpoint.hosts import is_meant_for_us


@pytest.mark.parametrize(
    "authority",
    [
        "localhost",
        "localhost:9746",
        "LocalHost.:1",
        "127.0.0.1",
        "127.0.0.1:9746",
        "192.168.0.7:80",
        "[::1]",
        "[::1]:9746",
        "[fe80::1]:1",
        " localhost:1 ",
        "workstation.lan:9746",
        "Workstation.Lan.",
        "localhost:",
    ],
)
def test_ours(authority: str) -> None:
    assert is_meant_for_us(authority, "workstation.lan")


@pytest.mark.parametrize(
    "authority",
    [
        "",
        "evil.example",
        "evil.example:9746",
        "localhost.evil.example",
        "localhost@evil.example",
        "127.0.0.1.evil.example",
        "127.0.0.1:9746@evil.example",
        "evil.example:127.0.0.1",
        "[evil.example]",
        "[::1]evil.example",
        "::1",
        "localhost:9746:9746",
        "local host",
        "workstation",
        "workstation.lan.evil.example",
        "127.1",
        "2130706433",
        "localhost\x00",
    ],
)
def test_foreign(authority: str) -> None:
    assert not is_meant_for_us(authority, "workstation.lan")


def test_the_configured_host_may_be_an_address() -> None:
    assert is_meant_for_us("10.0.0.7:9746", "10.0.0.7")
    assert is_meant_for_us("[::1]:9746", "::1")
    assert not is_meant_for_us("evil.example", "0.0.0.0")
