"""Errors that quote a secret keep their type, and lose the secret."""

import pytest

from optdist.config import secrets_hidden
from optdist.errors import CheckError, DataError

WRITTEN = {"dataset": {"path": "${env:SECRET_FOLDER}/sales.csv"}}


@pytest.mark.parametrize(
    "error",
    [DataError("hunter22/sales.csv is empty."), CheckError(["hunter22 is bad"], "See hunter22.")],
)
def test_an_error_loses_the_secret_and_keeps_its_type(monkeypatch, error):
    monkeypatch.setenv("SECRET_FOLDER", "hunter22")
    message = r"\$\{env:SECRET_FOLDER\}"
    with pytest.raises(type(error), match=message) as caught, secrets_hidden(WRITTEN):
        raise error
    assert "hunter22" not in f"{caught.value} {vars(caught.value)}"
