"""Statements about uploads."""

from jobs.statements.media.uploads import add_upload, find_uploads


def test_a_tenant_finds_its_own_uploads_only(rows):
    tenant, another = rows.tenant(), rows.tenant("another")
    for upload_id, owner in (("inp_1", tenant), ("inp_2", tenant), ("inp_3", another)):
        rows.execute(add_upload(upload_id, owner, f"{owner}/inputs/{upload_id}"))
    found = rows.execute(find_uploads({"inp_1", "inp_3", "inp_4"}, tenant))
    assert [("inp_1", f"{tenant}/inputs/inp_1")] == [tuple(row) for row in found]
    assert [] == rows.execute(find_uploads(set(), tenant))
