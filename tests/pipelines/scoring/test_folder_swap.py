from pipelines.scoring import folder_swap
from pipelines.scoring.folder_swap import exchange, recover, swap_in


def folder(path, text):
    path.mkdir(parents=True)
    (path / "part").write_text(text)
    return path


def test_a_first_folder_moves_to_its_place(tmp_path):
    staged = folder(tmp_path / "_staging" / "a", "new")
    swap_in(staged, tmp_path / "home" / "a")
    assert (tmp_path / "home" / "a" / "part").read_text() == "new"
    assert not staged.exists()


def test_a_new_folder_replaces_the_old_one_and_nothing_is_left_over(tmp_path):
    folder(tmp_path / "a", "old")
    swap_in(folder(tmp_path / "_staging", "new"), tmp_path / "a")
    assert (tmp_path / "a" / "part").read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_two_folders_change_places_in_one_step(tmp_path):
    old, new = folder(tmp_path / "a", "old"), folder(tmp_path / "b", "new")
    assert exchange(new, old)
    assert ((old / "part").read_text(), (new / "part").read_text()) == ("new", "old")
    assert not exchange(tmp_path / "missing", old)


def test_without_an_exchange_the_old_folder_is_renamed_and_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(folder_swap, "exchange", lambda a, b: False)
    folder(tmp_path / "a", "old")
    swap_in(folder(tmp_path / "_staging", "new"), tmp_path / "a")
    assert (tmp_path / "a" / "part").read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_crash_between_the_renames_leaves_the_old_folder(tmp_path):
    folder(tmp_path / "_old-a", "old")
    recover(tmp_path / "a")
    assert (tmp_path / "a" / "part").read_text() == "old"


def test_a_crash_before_the_removal_leaves_the_new_folder(tmp_path):
    folder(tmp_path / "_old-a", "old")
    folder(tmp_path / "a", "new")
    recover(tmp_path / "a")
    assert (tmp_path / "a" / "part").read_text() == "new"
    assert not (tmp_path / "_old-a").exists()
