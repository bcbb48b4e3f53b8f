"""The times beside progress bars, in words: how long something has run, and how long it may still take."""

from rich.progress import ProgressColumn, Task
from rich.table import Column
from rich.text import Text

from cli.output.durations import spell_seconds


class BarTime(ProgressColumn):
    """A time, whose words stay on one line."""

    def __init__(self) -> None:
        super().__init__(Column(no_wrap=True))


class ElapsedTime(BarTime):
    """How long a task has run, or ran."""

    def render(self, task: Task) -> Text:
        """Return the time since the start of the task."""
        elapsed = task.finished_time if task.finished else task.elapsed
        return Text("" if elapsed is None else spell_seconds(elapsed), style="progress.elapsed")


class RemainingTime(BarTime):
    """How long a task may still take, at its present speed; empty without one, and once its bytes are there."""

    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        """Return the estimate."""
        left = None if task.finished else task.time_remaining
        return Text("" if left is None else f"{spell_seconds(max(left, 1))} left", style="progress.remaining")
