"""The socket that is there before anything else."""

from __future__ import annotations

import os
import socket

import pytest

from blackbox_qt.config import WebConfig
from blackbox_qt.web import address
from blackbox_qt.web.listen import ListenError, listen


def test_any_free_port_and_its_options() -> None:
    with listen(WebConfig(host="127.0.0.1", port=0)) as listener:
        assert listener.port > 0
        assert listener.socket.getsockopt(socket.IPPROTO_TCP, 25) == 16 * 1024  # TCP_NOTSENT_LOWAT
        with socket.create_connection(("127.0.0.1", listener.port)):
            accepted, _ = listener.socket.accept()
            with accepted:
                assert accepted.getsockopt(socket.IPPROTO_TCP, 25) == 16 * 1024
    with listen(WebConfig(host="localhost", port=listener.port)):
        pass  # at once again


def test_a_port_in_use_is_named_with_what_to_do() -> None:
    with listen(WebConfig(host="127.0.0.1", port=0)) as first:
        with pytest.raises(ListenError) as caught, listen(WebConfig(host="127.0.0.1", port=first.port)):
            pass
        assert str(caught.value) == (
            f"port {first.port} is in use by another program; choose another one with --port, or 0 for any free one"
        )


def test_an_address_that_is_not_ours() -> None:
    with (
        pytest.raises(ListenError, match=r"^192.0.2.1 is not an address of this machine"),
        listen(WebConfig(host="192.0.2.1", port=0)),
    ):
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open any port")
def test_a_port_for_root_only() -> None:
    with (
        pytest.raises(ListenError, match="may not be opened by this user"),
        listen(WebConfig(host="127.0.0.1", port=1)),
    ):
        pass


@pytest.mark.parametrize("host", ["::1", "::"])
def test_ipv6(host: str) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    with listen(WebConfig(host=host, port=0)) as listener:
        socket.create_connection(("::1", listener.port)).close()
        if host == "::":
            socket.create_connection(("127.0.0.1", listener.port)).close()


def test_the_address_for_other_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    assert address.base_url("127.0.0.1", 80) == "http://127.0.0.1:80"
    assert address.base_url("::1", 80) == "http://[::1]:80"
    monkeypatch.setattr(address, "_routed", lambda: "192.168.4.7")
    assert address.base_url("0.0.0.0", 8080) == "http://192.168.4.7:8080"
    monkeypatch.setattr(address, "_routed", lambda: "")
    monkeypatch.setattr(address, "_interfaces", lambda: [("eth0", "10.0.0.2"), ("wlan0", "10.42.0.1")])
    assert address.base_url("::", 8080) == "http://10.42.0.1:8080"
    monkeypatch.setattr(address, "_interfaces", list)
    assert address.base_url("0.0.0.0", 8080) == "http://127.0.0.1:8080"


def test_finding_the_address_really() -> None:
    assert socket.inet_aton(address.best_address())
    assert all(socket.inet_aton(found) for _, found in address._interfaces())
