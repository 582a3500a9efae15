import subprocess

from optdist import __version__
from optdist.tracking.code_version import code_tags


def git(folder, *words):
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", "-C", str(folder), *identity, *words], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def test_a_checkout_gives_its_commit_and_a_folder_inside_it_none(tmp_path):
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "first")
    commit = git(tmp_path, "log", "-1", "--format=%H")
    assert code_tags(tmp_path) == {
        "optdist_version": __version__,
        "mlflow.source.git.commit": commit,
    }
    (tmp_path / "unpacked").mkdir()
    assert code_tags(tmp_path / "unpacked") == {"optdist_version": __version__}


def test_without_git_or_a_readable_checkout_there_is_no_commit(tmp_path, monkeypatch):
    (tmp_path / ".git").write_text("gitdir: nowhere")
    assert code_tags(tmp_path) == {"optdist_version": __version__}
    monkeypatch.setenv("PATH", str(tmp_path))
    assert code_tags(tmp_path) == {"optdist_version": __version__}
