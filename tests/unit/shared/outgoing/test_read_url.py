import pytest

from shared.outgoing.read_url import TargetRefusedError, read_url


@pytest.mark.parametrize(
    ("url", "host", "port", "resource", "authority"),
    [
        ("https://hooks.example.org/a/b?c=d&e", "hooks.example.org", 443, "/a/b?c=d&e", "hooks.example.org"),
        ("http://hooks.example.org", "hooks.example.org", 80, "/", "hooks.example.org"),
        ("HTTPS://Hooks.Example.ORG:443/#there", "hooks.example.org", 443, "/", "hooks.example.org"),
        ("http://hooks.example.org:8443/x", "hooks.example.org", 8443, "/x", "hooks.example.org:8443"),
        ("https://[2001:db8::1]:8080/x", "2001:db8::1", 8080, "/x", "[2001:db8::1]:8080"),
        ("https://[2001:db8::1]", "2001:db8::1", 443, "/", "[2001:db8::1]"),
        (
            "https://bücher.example/ä?ö",
            "xn--bcher-kva.example",
            443,
            "/%C3%A4?%C3%B6",
            "xn--bcher-kva.example",
        ),
        ("https://x.example/%2F%20?a=%26", "x.example", 443, "/%2F%20?a=%26", "x.example"),
    ],
)
def test_an_address_is_taken_apart(url: str, host: str, port: int, resource: str, authority: str) -> None:
    target = read_url(url)
    assert (target.host, target.port, target.resource, target.authority()) == (
        host,
        port,
        resource,
        authority,
    )


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example.org/x",
        "//hooks.example.org/x",
        "ftp://hooks.example.org/",
        "file:///etc/passwd",
        "unix:///run/x.sock",
        "https://",
        "https:///x",
        "https://:443/x",
        "https://user@hooks.example.org/",
        "https://user:password@hooks.example.org/",
        "https://@hooks.example.org/",
        "https://hooks.example.org\\@evil.example/",
        "https://hooks.example.org/a b",
        "https://hooks.example.org/\r\nHost: evil.example",
        "https://hooks.example.org\t.evil.example/",
        "https://hooks.example.org:0/",
        "https://hooks.example.org:65536/",
        "https://hooks.example.org:x/",
        "https://[::1/",
        "https://[fe80::1%25eth0]/",
        "https://hooks%2eexample.org/",
        "https://" + "a" * 64 + "é.example/",
    ],
)
def test_what_is_no_plain_web_address_is_refused(url: str) -> None:
    with pytest.raises(TargetRefusedError) as refused:
        read_url(url)
    assert "evil" not in str(refused.value)
