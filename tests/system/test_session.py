"""The bench itself: an ordinary user, on whose manager everything else here relies."""

from tests.system.session import UID, Session


def test_the_user_is_an_ordinary_one(session: Session) -> None:
    done = session.run("id", "-u")
    assert done.stdout.strip() == str(UID)
    assert session.systemctl("is-system-running").stdout.strip() == "running"
    done = session.rolloutd("--version")
    assert done.code == 0, done
    assert done.stdout.startswith("rolloutd ")
    print(session.run("ps", "auxf").stdout)
