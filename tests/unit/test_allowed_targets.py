"""Patterns of the targets that may be scraped: names, addresses, networks and ports."""

import pytest

from sloscore.allowed_targets import AllowedTargets, pattern_of

METADATA = "169.254.169.254"


@pytest.mark.parametrize(
    ("patterns", "url", "named"),
    [
        ([], "http://127.0.0.1:8000/metrics", True),
        ([], "http://127.8.8.8/metrics", True),
        ([], "http://[::1]:8000/metrics", True),
        ([], "http://[::ffff:127.0.0.1]/", True),
        ([], "http://LOCALHOST.:8000/metrics", True),
        ([], "http://10.0.0.5:8000/metrics", False),
        ([], "http://vllm:8000/metrics", False),
        ([], "http://2130706433/metrics", False),
        ([], "http://0x7f.1/metrics", False),
        ([], f"http://{METADATA}/latest/meta-data", False),
        ([], "http://0.0.0.0:8520/", False),
        (["10.0.0.0/24"], "http://10.0.0.5:8000/metrics", True),
        (["10.0.0.0/24"], "http://10.0.1.5:8000/metrics", False),
        (["10.0.0.0/24"], "http://10.0.0.evil.example/metrics", False),
        (["10.0.0.0/24"], "http://127.0.0.1:8000/metrics", False),
        (["10.0.0.0/24:8000"], "http://10.0.0.5:8000/metrics", True),
        (["10.0.0.0/24:8000"], "http://10.0.0.5:22/metrics", False),
        (["10.0.0.5"], "http://10.0.0.5:22/metrics", True),
        (["10.0.0.5:*"], "http://10.0.0.5:22/metrics", True),
        (["10.0.0.5:80"], "http://10.0.0.5/metrics", True),
        (["10.0.0.5:443"], "https://10.0.0.5/metrics", True),
        (["10.0.0.5"], "http://[::ffff:10.0.0.5]/metrics", True),
        (["fd00::/64"], "http://[fd00::7]:8000/metrics", True),
        (["[fd00::/64]:8000"], "http://[fd00::7]:8000/metrics", True),
        (["[fd00::/64]:8000"], "http://[fd00::7]:8001/metrics", False),
        (["[fd00::7]"], "http://[FD00:0::7]/metrics", True),
        (["*.svc:8000"], "http://vllm-0.SVC:8000/metrics", True),
        (["*.svc:8000"], "http://vllm-0.svc.evil.example:8000/metrics", False),
        (["*.svc:8000"], "http://vllm-0.svc:22/metrics", False),
        (["vllm-?"], "http://vllm-0/metrics", True),
        (["*"], "http://vllm/metrics", True),
        (["*"], "http://10.0.0.5/metrics", False),
        (["0.0.0.0/0", "::/0", "*"], "http://10.0.0.5/metrics", True),
        (["0.0.0.0/0", "::/0", "*"], f"http://{METADATA}/", False),
        (["0.0.0.0/0", "::/0", "*"], f"http://[::ffff:{METADATA}]/", False),
        (["0.0.0.0/0", "::/0", "*"], "http://[64:ff9b::a9fe:a9fe]/", False),
        (["0.0.0.0/0", "::/0", "*"], "http://[2002:a9fe:a9fe::1]/", False),
        (["0.0.0.0/0", "::/0", "*"], "http://[fe80::1]/", False),
        (["0.0.0.0/0", "::/0", "*"], "http://[fd00:ec2::254]/", False),
        (["0.0.0.0/0", "::/0", "*"], "http://127.0.0.1/", False),
        ([METADATA], f"http://{METADATA}/", True),
        (["169.254.0.0/16"], f"http://{METADATA}/", True),
        (["fe80::/10"], "http://[fe80::1]/", True),
    ],
)
def test_a_pattern_names_what_it_says_and_nothing_else(
    patterns: list[str], url: str, named: bool
) -> None:
    assert AllowedTargets(patterns).names(url) is named


@pytest.mark.parametrize(
    ("patterns", "name", "address", "admitted"),
    [
        ([], "localhost", "127.0.0.1", True),
        ([], "localhost", "::1", True),
        ([], "localhost", "10.0.0.5", False),
        ([], "evil.example", "10.0.0.5", False),
        (["*.svc"], "a.svc", "10.0.0.5", True),
        (["*.svc"], "a.svc", "8.8.8.8", True),
        (["*.svc"], "a.svc", "127.0.0.1", False),
        (["*.svc"], "a.svc", "::ffff:127.0.0.1", False),
        (["*.svc"], "a.svc", METADATA, False),
        (["*.svc"], "a.svc", "fe80::1%eth0", False),
        (["*.svc"], "a.svc", "nonsense", False),
        (["*.svc", "127.0.0.0/8"], "a.svc", "127.0.0.1", True),
        (["a.svc"], "a.svc", "127.0.1.1", True),
        (["a.svc"], "a.svc", METADATA, False),
        (["a.svc", METADATA], "a.svc", METADATA, True),
        (["a.svc:22"], "a.svc", "10.0.0.5", False),
    ],
)
def test_a_name_leads_only_to_addresses_that_may_be_asked(
    patterns: list[str], name: str, address: str, admitted: bool
) -> None:
    assert AllowedTargets(patterns).admits(name, 8000, address) is admitted


@pytest.mark.parametrize(
    ("pattern", "sentence"),
    [
        ("10.0.0.*:8000", "write a network like 10.0.0.0/24"),
        ("10.0.0.5/24", "write 10.0.0.0/24"),
        ("10.0.0.0/40", "is no address"),
        ("fd00::/200", "is no pattern"),
        ("host:99999", "there is no port 99999"),
        ("host:0", "there is no port 0"),
        ("http://host", "is no pattern"),
        ("", "is no pattern"),
    ],
)
def test_what_is_no_pattern_is_refused_with_what_to_write(pattern: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        AllowedTargets([pattern])


@pytest.mark.parametrize("url", ["http://a.svc/m", "https://10.0.0.5/m", "http://[fd00::7]:1/m"])
def test_the_pattern_of_a_url_names_it(url: str) -> None:
    assert AllowedTargets([pattern_of(url)]).names(url)
