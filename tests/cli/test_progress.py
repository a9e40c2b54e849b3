"""Bars show text as it is, and nothing where nobody watches."""

from rich.progress import TimeRemainingColumn

from speech.cli.progress import progress

ODD = "talk [abc123] [/such] [red]x[/red] :warning:.wav"


def test_bars_show_text_as_it_is():
    with progress() as bars:
        bars.add_task(ODD)
        (column, *_) = bars.columns
        assert column.render(bars.tasks[0]).plain == ODD


def test_where_nobody_watches_nothing_is_shown(capsys):
    with progress(TimeRemainingColumn()) as bars:
        bars.update(bars.add_task("reading", total=2), advance=2)
        assert isinstance(bars.columns[-1], TimeRemainingColumn)
    assert capsys.readouterr() == ("", "")
