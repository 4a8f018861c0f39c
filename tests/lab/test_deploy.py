"""A deployment can be repeated, previewed and limited, and it survives a host that dies in the middle."""

import json
import threading
import time

import pytest

from lab.site import MAIN, SUB, Play, Site

GOAL_SECONDS = 30


def unchanged(play: Play) -> bool:
    return play.code == 0 and set(play.changed.values()) == {0}


def test_a_second_run_changes_nothing_and_is_quick(site: Site) -> None:
    again = site.play()
    assert unchanged(again), again.output[-4000:]
    assert site.first is not None
    assert again.seconds <= max(GOAL_SECONDS, site.first.seconds / 4)


def test_a_preview_of_a_settled_site_shows_nothing(site: Site) -> None:
    preview = site.play("--check", "--diff")
    assert unchanged(preview), preview.output[-4000:]


def test_a_preview_shows_a_change_and_does_not_make_it(site: Site) -> None:
    ports = json.dumps({"dss_ports": {"mts.rtsp": 19100}})
    preview = site.play("--check", "--diff", "-e", ports)
    assert preview.code == 0, preview.output[-4000:]
    assert preview.changed[SUB] > 0
    assert '"rtsp": 19100' in preview.output
    assert json.loads(site.on(SUB, "cat", "/etc/dss/services/mts.json"))["ports"]["rtsp"] == 9100


def test_secrets_never_show_in_a_difference(site: Site) -> None:
    secret = site.on(SUB, "cat", "/etc/dss/credentials/node-token").strip()
    site.on(SUB, "sh", "-c", "echo '# stray' >>/etc/dss/engines/nginx-node.conf")
    repaired = site.play("--diff", "--limit", SUB)
    assert repaired.code == 0, repaired.output[-4000:]
    assert repaired.changed[SUB] > 0
    assert secret not in repaired.output
    assert "stray" not in site.on(SUB, "cat", "/etc/dss/engines/nginx-node.conf")


def test_one_node_alone_leaves_the_others_out_of_the_run(site: Site) -> None:
    limited = site.play("--limit", SUB)
    assert unchanged(limited), limited.output[-4000:]
    assert set(limited.changed) == {SUB}


def test_only_the_unit_whose_file_changed_is_restarted(site: Site) -> None:
    def starts() -> dict[str, str]:
        return {u["name"]: u["since"] for u in json.loads(site.on(SUB, "dss", "status", "--json"))}

    before = starts()
    time.sleep(1.1)
    site.on(SUB, "sh", "-c", "echo '# stray' >>/etc/systemd/system/dss-mts.service")
    assert site.play("--limit", SUB).code == 0
    after = starts()
    assert {name for name in before if before[name] != after[name]} == {"dss-mts.service"}


def test_a_restart_that_a_dead_run_owed_is_made_by_the_next(site: Site) -> None:
    since = site.on(SUB, "systemctl", "show", "-p", "ActiveEnterTimestampMonotonic", "dss-dms.service")
    site.on(
        SUB,
        "sh",
        "-c",
        "mkdir -p /var/lib/dss/pending && printf restart >/var/lib/dss/pending/dss-dms.service",
    )
    assert site.play("--limit", SUB).changed[SUB] == 1
    assert (
        site.on(SUB, "systemctl", "show", "-p", "ActiveEnterTimestampMonotonic", "dss-dms.service") != since
    )


def test_a_file_that_is_no_longer_rendered_is_taken_away(site: Site) -> None:
    record = "/etc/dss/installed.json"
    listing = json.loads(site.on(SUB, "cat", record))
    listing["files"]["/etc/dss/left-over.json"] = []
    site.on(
        SUB, "sh", "-c", f"touch /etc/dss/left-over.json; cat >{record} <<'END'\n{json.dumps(listing)}\nEND"
    )
    assert site.play("--limit", SUB).code == 0
    assert site.on(SUB, "sh", "-c", "ls /etc/dss").find("left-over") < 0
    assert "left-over" not in site.on(SUB, "cat", record)


def test_secrets_stay_readable_for_root_alone_and_are_kept(site: Site) -> None:
    before = site.on(MAIN, "sh", "-c", "sha256sum /etc/dss/credentials/* /etc/dss/pki/*")
    assert site.play().code == 0
    assert site.on(MAIN, "sh", "-c", "sha256sum /etc/dss/credentials/* /etc/dss/pki/*") == before
    modes = site.on(MAIN, "sh", "-c", "stat -c %a:%U /etc/dss/credentials/* /etc/dss/pki/*.key").split()
    assert set(modes) == {"600:root"}


def test_the_acceptance_of_the_agreement_is_recorded(site: Site) -> None:
    accepted = json.loads(site.on(MAIN, "cat", "/etc/dss/release.json"))["accepted_agreement"]
    assert accepted["version"]
    assert accepted["by"]
    assert accepted["at"]


@pytest.mark.full
def test_a_host_lost_in_the_middle_is_completed_by_the_next_run(site: Site) -> None:
    site.on(SUB, "sh", "-c", "echo '# stray' >>/etc/systemd/system/dss-mts.service")
    plays: list[Play] = []
    thread = threading.Thread(target=lambda: plays.append(site.play("--limit", SUB)))
    thread.start()
    end = time.monotonic() + 60
    while "stray" in site.on(SUB, "cat", "/etc/systemd/system/dss-mts.service") and time.monotonic() < end:
        time.sleep(0.05)
    site.lab.poweroff(SUB)
    thread.join(180)
    assert not thread.is_alive(), "the run waits for a dead host for ever"
    assert plays[0].code != 0
    site.lab.boot(SUB)
    assert site.play("--limit", SUB).code == 0
    assert unchanged(site.play())
