"""Part `soak`: everything that happens to a home, for minutes or hours, beside one daemon."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from statistics import median

import zstandard

from .conversation import Conversations
from .daemon import Daemon, daemon
from .lines import line_now, token_count
from .report import MB, Section, Verdict
from .statistic import slope
from .trees import run_folder
from .truth import see_true

SESSIONS = 60
"""So many rollouts there are at most: the oldest goes when one more comes."""
STEP_SECONDS = 0.02
SAMPLE_SECONDS = 2.0
GROWTH = 5 * MB
"""How much more memory may be in use in the last quarter than in the second."""
SIZE = 40_000
CHANCES = {"append": 100, "create": 4, "archive": 2, "compress": 2, "unarchive": 1, "delete": 1}


class Home:
    """A home in which sessions come, grow, move and go."""

    def __init__(self, home: Path, rng: random.Random) -> None:
        self.done = dict.fromkeys(CHANCES, 0)
        self._home = home
        self._rng = rng
        self._conversations = Conversations(rng)
        self._tokens = 0
        (home / "sessions").mkdir(parents=True)
        (home / "archived_sessions").mkdir()

    def step(self) -> None:
        """Let one thing happen."""
        kind = self._rng.choices(list(CHANCES), list(CHANCES.values()))[0]
        plain = sorted(self._home.glob("sessions/*/*/*/*.jsonl"))
        everything = sorted(self._home.rglob("rollout-*"), key=lambda path: path.name)
        if kind == "create" or not plain:
            kind = "create"
            if len(everything) >= SESSIONS:
                everything[0].unlink()
            self._create()
        else:
            self._change(kind, plain, everything)
        self.done[kind] += 1

    def _change(self, kind: str, plain: list[Path], everything: list[Path]) -> None:
        path = self._rng.choice(plain)
        match kind:
            case "append":
                self._tokens += 1
                with path.open("ab") as file:
                    file.write(line_now(token_count(self._tokens)))
            case "archive":
                path.rename(self._home / "archived_sessions" / path.name)
            case "unarchive":
                for archived in self._home.glob("archived_sessions/*.jsonl"):
                    archived.rename(self._folder(archived) / archived.name)
                    break
            case "compress":
                packed = path.with_name(path.name + ".zst")
                packed.write_bytes(zstandard.ZstdCompressor().compress(path.read_bytes()))
                path.unlink()
            case "delete":
                self._rng.choice(everything).unlink()

    def _create(self) -> None:
        now = time.time_ns() // 1_000_000
        thread_id = str(uuid.UUID(int=self._rng.getrandbits(128), version=4))
        stamp = time.strftime("%Y-%m-%dT%H-%M-%S", time.gmtime(now / 1000))
        path = Path(f"rollout-{stamp}-{thread_id}.jsonl")
        with (self._folder(path) / path).open("xb") as file:
            self._conversations.write(file, thread_id, now, SIZE)

    def _folder(self, path: Path) -> Path:
        year, month, day = path.name.removeprefix("rollout-")[:10].split("-")
        folder = self._home / "sessions" / year / month / day
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def measure(minutes: float, seed: int, say: Callable[[str], None]) -> Section:
    """Let things happen for so long, sample the daemon's memory, and see that it is true after."""
    said = Section("soak", f"{minutes:g} minutes of all that happens to a home, seed {seed}")
    said.columns = ("", "steps", "CPU %", "RSS MB", "most MB", "MB/hour", "descriptors")
    with run_folder() as folder:
        home = Home(folder / "codex", random.Random(seed))
        with daemon(folder / "codex", folder) as running:
            running.wait_ready()
            samples = _live(home, running, minutes * 60, say)
            used = running.totals()
            say("comparing with a fresh backfill")
            see_true(folder / "codex", running.database)
    steps = sum(home.done.values())
    quarter = len(samples) // 4
    resident = [rss for _, rss, _ in samples]
    early, late = median(resident[quarter : 2 * quarter + 1]), median(resident[-quarter - 1 :])
    hourly = slope([(at / 3600, rss) for at, rss, _ in samples[quarter:]])
    percent = used.cpu / (minutes * 60) * 100
    said.rows.append(
        (
            "the daemon",
            f"{steps:,}",
            f"{percent:.1f}",
            f"{late / MB:.1f}",
            f"{max(resident) / MB:.1f}",
            f"{hourly / MB:+.1f}",
            f"{samples[quarter][2]}-{samples[-1][2]}",
        )
    )
    said.notes.append(", ".join(f"{count:,} x {kind}" for kind, count in home.done.items()))
    said.notes.append("every row equals a fresh backfill's at the end")
    said.verdicts += [
        Verdict("memory, last quarter over second, MB", (late - early) / MB, GROWTH / MB),
        Verdict("descriptors, end over first quarter", samples[-1][2] - samples[quarter][2], 2),
    ]
    said.figures = {
        "seed": seed,
        "steps": home.done,
        "core_percent": percent,
        "rss_slope_per_hour": hourly,
        "samples": [{"seconds": at, "rss": rss, "descriptors": n} for at, rss, n in samples],
    }
    return said


def _live(
    home: Home, running: Daemon, seconds: float, say: Callable[[str], None]
) -> list[tuple[float, int, int]]:
    """Return when how many bytes were resident, and how many descriptors were open."""
    began = time.monotonic()
    samples: list[tuple[float, int, int]] = []
    due = began
    while (now := time.monotonic()) < began + seconds:
        home.step()
        if now >= due:
            running.see_alive()
            descriptors = sum(1 for _ in Path(f"/proc/{running.process.pid}/fd").iterdir())
            samples.append((now - began, running.rss(), descriptors))
            due = now + SAMPLE_SECONDS
            say(f"{(now - began) / 60:.1f} of {seconds / 60:g} minutes")
        time.sleep(STEP_SECONDS)
    return samples
