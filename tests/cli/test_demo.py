"""`speech demo`: the clips that ship with the package."""

from tests.cli.calling import run


def test_the_demo_shows_every_clip_and_writes_subtitles(checkpoint, tmp_path):
    result = run("demo", "--output-dir", tmp_path, "--model", checkpoint)
    assert result.exit_code == 0
    assert "8 clips, 6 languages" in result.stdout
    assert len(list(tmp_path.glob("*.srt"))) == 8
    assert any("-->" in path.read_text() for path in tmp_path.glob("*.srt"))
