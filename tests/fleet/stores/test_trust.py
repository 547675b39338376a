"""Whom a store's client trusts."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme

from sidecar.core.tls_files import TlsFiles
from sidecar.fleet.stores.trust import trust


def test_the_system_is_trusted_by_default() -> None:
    assert trust(TlsFiles()).check_hostname


def test_a_file_of_authorities_is_trusted_instead(tmp_path: Path) -> None:
    trustme.CA().cert_pem.write_to_path(tmp_path / "ca.pem")

    assert len(trust(TlsFiles(f"{tmp_path}/ca.pem")).get_ca_certs()) == 1


@pytest.mark.parametrize(
    "files",
    [TlsFiles("/not/there"), TlsFiles("/dev/null"), TlsFiles(None, __file__, __file__)],
    ids=["missing", "empty", "no certificate"],
)
def test_what_cannot_be_read_is_named(files: TlsFiles) -> None:
    with pytest.raises(ValueError, match=f"got {files.ca or files.cert}"):
        trust(files)
