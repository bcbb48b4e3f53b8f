"""Arrays of texts, as queries of the driver alone pass them."""

import pytest
from sqlalchemy import text

from jobs.statements.query import text_array


@pytest.mark.parametrize(
    "values",
    [[], ["a"], ["a", None, "b"], ["", "NULL", "null"], ['"', "\\", '\\"', "{,}", " a ", "é\n"]],
    ids=str,
)
def test_postgresql_reads_the_values_back(rows, values):
    [[found]] = rows.execute(text("SELECT CAST(:given AS text[])").bindparams(given=text_array(values)))
    assert values == found
