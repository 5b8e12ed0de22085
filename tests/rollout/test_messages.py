"""What backfill and readers say to each other survives the pipe, however it is cut."""

from hypothesis import given
from hypothesis import strategies as st

from rolloutd.records import Cursor, DynamicTool, FileStamp, Known, Reading, Summary
from rolloutd.rollout.messages import Frames, Job, Told, decode_job, decode_told, framed

SUMMARIES = st.builds(
    Summary,
    thread_id=st.none() | st.text(max_size=5),
    tokens_used=st.none() | st.integers(0, 2**63 - 1),
    title=st.text(max_size=5),
    parse_errors=st.dictionaries(st.text(max_size=3), st.integers(0, 9), max_size=2),
    dynamic_tools=st.lists(
        st.builds(DynamicTool, st.text(max_size=3), st.text(max_size=3), st.just("{}")), max_size=2
    ),
)
NUMBERS = st.integers(-(2**63), 2**63 - 1)
CURSORS = st.builds(
    Cursor,
    stamp=st.builds(FileStamp, NUMBERS, NUMBERS, NUMBERS, NUMBERS, NUMBERS),
    offset=NUMBERS,
    anchors=st.text(max_size=5),
)
PATHS = st.text(st.characters(codec="utf-8"), max_size=9)
JOBS = st.builds(
    Job, PATHS, st.integers(0, 2**40), st.none() | st.builds(Known, CURSORS, SUMMARIES)
)
READINGS = st.builds(
    Reading,
    path=PATHS,
    archived=st.booleans(),
    encoding=st.just("plain"),
    cursor=st.none() | CURSORS,
    summary=SUMMARIES,
    resume=st.none() | SUMMARIES,
    error=st.none() | st.text(max_size=5),
)
TOLD = st.builds(Told, taken=NUMBERS, gone=st.booleans(), reading=st.none() | READINGS)


@given(st.lists(JOBS | TOLD, max_size=5), st.integers(1, 40))
def test_messages_come_out_whole_however_the_pipe_cuts_them(
    messages: list[Job | Told], portion: int
) -> None:
    stream = b"".join(framed(message) for message in messages)
    frames = Frames()
    found: list[bytes] = []
    for start in range(0, len(stream), portion):
        found += frames.feed(stream[start : start + portion])
    decoded = [
        decode_job(body) if isinstance(message, Job) else decode_told(body)
        for message, body in zip(messages, found, strict=True)
    ]
    assert decoded == messages


def test_a_job_ends_with_a_reading_or_with_the_word_that_the_file_is_gone() -> None:
    assert not Told(taken=5).is_result
    assert Told(gone=True).is_result
    assert Told(
        reading=Reading("sessions/rollout-x.jsonl", archived=False, encoding="plain")
    ).is_result
