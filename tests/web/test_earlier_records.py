"""Evidence that an earlier version wrote is drawn: what it did not keep yet is left out."""

from pathlib import Path

from litestar.testing import TestClient
from plain_workspace import workspace_of
from told_ideas import NOW, START, publication, tell_team

from tasuki.flow.event import NewEvent
from tasuki.flow.evidence import evidence_of, to_body
from tasuki.store.ledger import Ledger
from tasuki.web.app import create_app


def test_a_publication_of_before_the_default_answer_was_kept(ledger: Ledger, tmp_path: Path) -> None:
    evidence = to_body(evidence_of(publication(), "t", START))
    evidence["record"].pop("default")
    body = {"stage": "implementation", "content_hash": f"{1:064}", "evidence": evidence}
    opening = {"title": "古い公開", "flow": "model", "formation": "all_in_one", "stages": ["implementation"]}
    tell_team(ledger)
    told = [NewEvent("idea_opened", "aoi", NOW, opening), NewEvent("evidence_attached", "sota", NOW, body)]
    ledger.append("idea-1", 0, told)
    with TestClient(create_app(workspace_of(ledger, tmp_path)), base_url="http://127.0.0.1") as client:
        page = client.get("/ideas/idea-1")
    assert page.status_code == 200
    assert publication().model in page.text
