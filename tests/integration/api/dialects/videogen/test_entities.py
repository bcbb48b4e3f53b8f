"""Entities through VideoGen's own client."""

import pytest
from sqlalchemy import text

FILE, OTHER = f"vg_file_{'1' * 32}", f"vg_file_{'2' * 32}"


@pytest.fixture
def chair(vg):
    return vg.entities.create_entity(entity_type="PRODUCT", name="Chair")


def test_a_new_entity_is_found_again(vg, chair):
    assert chair == {
        "entity_id": chair["entity_id"],
        "entity_type": "PRODUCT",
        "name": "Chair",
        "description": "",
        "references": [],
        "actor_config": None,
        "created_at": chair["created_at"],
        "updated_at": chair["created_at"],
        "is_built_in": False,
    }
    assert chair["entity_id"].startswith("vg_enti_")
    assert chair == vg.entities.get_entity(entity_id=chair["entity_id"])


def test_an_actor_has_a_configuration(vg):
    actor = vg.entities.create_entity(entity_type="ACTOR", name="Anna", description="a carpenter")
    assert {"voice_display_name": None, "has_voice": False, "has_avatar_presenter": False} == actor["actor_config"]


def test_entities_are_listed_by_type_and_page(vg, chair, stranger_vg):
    anna = vg.entities.create_entity(entity_type="ACTOR", name="Anna")
    page = vg.entities.list_entities(limit=1)
    assert ([anna], True) == (page["entities"], page["has_more"])
    assert [chair] == vg.entities.list_entities(limit=1, cursor=page["next_cursor"])["entities"]
    assert [chair] == vg.entities.list_entities(entity_type="PRODUCT")["entities"]
    assert [] == stranger_vg.entities.list_entities()["entities"]


def test_an_entity_is_changed_and_archived(vg, chair, refused):
    changed = vg.entities.update_entity(entity_id=chair["entity_id"], description="of oak")
    assert ("Chair", "of oak") == (changed["name"], changed["description"])
    assert {"entity_id": chair["entity_id"], "archived": True} == vg.entities.archive_entity(
        entity_id=chair["entity_id"]
    )
    assert 404 == refused(vg.entities.get_entity, entity_id=chair["entity_id"]).status
    assert [] == vg.entities.list_entities()["entities"]


@pytest.mark.parametrize(
    "fields", [{"name": "x"}, {"entity_type": "CAT", "name": "x"}, {"entity_type": "ACTOR", "name": " "}]
)
def test_a_wrong_entity_is_refused(vg, refused, fields):
    error = refused(vg.entities.create_entity, **fields)
    assert (400, "invalid_parameters") == (error.status, error.body["code"])


def test_a_tenant_has_so_many_entities(vg, api, rows, tenant, chair, refused):
    add = "INSERT INTO entities (id, tenant, type, name) SELECT 'ent_' || n, :tenant, 'ACTOR', 'n' FROM generate_series"
    rows.execute(text(f"{add}(2, :most) AS n").bindparams(tenant=tenant, most=api.settings.max_entities))
    error = refused(vg.entities.create_entity, entity_type="PRODUCT", name="Table")
    assert (400, "too_many_entities") == (error.status, error.body["internal_error_code"])
    vg.entities.archive_entity(entity_id=chair["entity_id"])
    assert "Table" == vg.entities.create_entity(entity_type="PRODUCT", name="Table")["name"]


def test_entities_of_others_are_unknown(stranger_vg, chair, refused):
    for call in (stranger_vg.entities.get_entity, stranger_vg.entities.archive_entity):
        error = refused(call, entity_id=chair["entity_id"])
        codes = error.body["code"], error.body["internal_error_code"]
        assert (404, "not_found", "unknown_entity") == (error.status, *codes)
