"""Stored voices: each belongs to one tenant."""

from jobs.statements.media.voices import add_voice, count_voices, find_voices, forget_voice, list_voices


def test_only_its_tenant_finds_lists_counts_and_removes_a_voice(rows):
    studio, another = rows.tenant(), rows.tenant("another")
    for voice in ("voi_1", "voi_2"):
        facts = {"key": f"{studio}/voices/{voice}", "media_type": "audio/wav", "bytes": 9}
        assert voice == rows.execute(add_voice(voice, studio, name="Anna", **facts))[0].id
    for tenant, expected in ((studio, ["voi_2", "voi_1"]), (another, [])):
        assert expected == [row.id for row in rows.execute(list_voices(tenant))]
        assert len(expected) == rows.scalar(count_voices(tenant))
        assert set(expected) == {row.id for row in rows.execute(find_voices(["voi_1", "voi_2", "voi_3"], tenant))}
    assert [] == rows.execute(forget_voice("voi_1", another))
    assert ["voi_1"] == [row.id for row in rows.execute(forget_voice("voi_1", studio))]
    assert ["voi_2"] == [row.id for row in rows.execute(list_voices(studio))]
