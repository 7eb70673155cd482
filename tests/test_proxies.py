"""Which proxy a URL goes through."""

from __future__ import annotations

import pytest

from glmcli.api.proxies import choose_proxy
from glmcli.errors import ConfigError

URL = "https://api.z.ai/api/paas/v4"


@pytest.mark.parametrize(
    ("url", "environ", "proxy"),
    [
        pytest.param(URL, {}, None, id="none"),
        pytest.param(URL, {"HTTPS_PROXY": "http://p:1"}, "http://p:1", id="upper case"),
        pytest.param(URL, {"https_proxy": "http://a:1", "HTTPS_PROXY": "http://b:1"}, "http://a:1", id="lower wins"),
        pytest.param(URL, {"ALL_PROXY": "p:1"}, "http://p:1", id="all, without scheme"),
        pytest.param(URL, {"HTTP_PROXY": "http://p:1"}, None, id="other scheme"),
        pytest.param("http://a.example", {"HTTP_PROXY": "http://p:1"}, "http://p:1", id="http"),
        pytest.param("http://a.example", {"HTTP_PROXY": "http://p:1", "REQUEST_METHOD": "GET"}, None, id="CGI"),
        pytest.param(URL, {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "z.ai"}, None, id="no_proxy suffix"),
        pytest.param(URL, {"HTTPS_PROXY": "http://p:1", "NO_PROXY": ".z.ai, x"}, None, id="no_proxy dot"),
        pytest.param(
            URL, {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "i.z.ai"}, "http://p:1", id="no_proxy part of name"
        ),
        pytest.param(URL, {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}, None, id="no_proxy all"),
        pytest.param(URL, {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "api.z.ai:8443"}, "http://p:1", id="other port"),
        pytest.param("https://10.1.2.3", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "10.0.0.0/8"}, None, id="network"),
        pytest.param("http://127.0.0.1:8000/v1", {"HTTP_PROXY": "http://p:1"}, None, id="loopback"),
        pytest.param(URL, {"HTTPS_PROXY": ""}, None, id="empty"),
    ],
)
def test_the_variables_that_curl_reads_choose_the_proxy(url: str, environ: dict[str, str], proxy: str | None) -> None:
    """Scheme, case, `no_proxy` and loopback, one row each."""
    assert proxy == choose_proxy(url, environ)


def test_a_socks_proxy_is_refused_in_words() -> None:
    """It would need another library; the message says what does work."""
    with pytest.raises(ConfigError, match="socks5"):
        choose_proxy(URL, {"ALL_PROXY": "socks5://p:1"})
